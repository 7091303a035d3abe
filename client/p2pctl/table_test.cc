#include "client/p2pctl/table.h"

#include "gtest/gtest.h"

namespace p2p::ctl {
namespace {

Table SmallTable(Table::Style style) {
  Table table({{.header = "NAME"}, {.header = "SIZE", .right = true}, {.header = "STATE"}}, style);
  table.AddRow({{"a"}, {"1"}, {.text = "READY", .color = Color::kGood}});
  table.AddRow({{"longer"}, {"1024"}, {""}});
  return table;
}

TEST(TableTest, AlignsItsColumnsAndMarksWhatIsEmpty) {
  EXPECT_EQ(SmallTable({}).ToString(),
            "NAME    SIZE  STATE\n"
            "a          1  READY\n"
            "longer  1024  -\n");
}

TEST(TableTest, LeavesItsHeaderOut) {
  EXPECT_EQ(SmallTable({.header = false}).ToString(),
            "a          1  READY\n"
            "longer  1024  -\n");
}

TEST(TableTest, AHeaderThatIsLeftOutTakesNoRoom) {
  Table table({{.header = "A-LONG-HEADER"}, {.header = "B"}}, {.header = false});
  table.AddRow({{"a"}, {"b"}});
  EXPECT_EQ(table.ToString(), "a  b\n");
}

TEST(TableTest, ColoursOnlyWhereColoursAreWanted) {
  EXPECT_NE(SmallTable({.colors = true}).ToString().find("\033[32m"), std::string::npos);
  EXPECT_EQ(SmallTable({.colors = false}).ToString().find('\033'), std::string::npos);
}

TEST(TableTest, WithoutRowsThereIsTheHeaderOnly) {
  EXPECT_EQ(Table({{.header = "A"}, {.header = "B"}}, {}).ToString(), "A  B\n");
  EXPECT_EQ(Table({{.header = "A"}}, {.header = false}).ToString(), "");
}

TEST(TableTest, NobodysTextReachesTheTerminalAsAControlSequence) {
  Table table({{.header = "CLIENT"}}, {});
  table.AddRow({{"\033]0;owned\007\nsecond line"}});
  const std::string text = table.ToString();
  EXPECT_EQ(text.find('\033'), std::string::npos);
  EXPECT_EQ(text.find('\007'), std::string::npos);
  EXPECT_EQ(text.find("\nsecond"), std::string::npos);
}

TEST(TableTest, ALongLineIsNotCut) {
  Table table({{.header = "A"}, {.header = "B"}}, {});
  table.AddRow({{std::string(300, 'a')}, {"end"}});
  EXPECT_NE(table.ToString().find("end"), std::string::npos);
}

}  // namespace
}  // namespace p2p::ctl
