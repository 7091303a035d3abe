#include "tests/bench/figure.h"

#include "gmock/gmock.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"

namespace p2pd::bench {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kPing[] = "Ping";

Figure Against(double value, double floor, Aim aim) { return MakeFigure("Map", value, "us", Floor{kPing, floor}, aim); }

TEST(FigureTest, TheRatioIsTheValueOverItsFloor) {
  EXPECT_DOUBLE_EQ(Against(130, 100, {}).ratio(), 1.3);
  EXPECT_DOUBLE_EQ(Against(50, 200, {}).ratio(), 0.25);
}

TEST(FigureTest, NumbersKeepFourSignificantDigits) {
  const Figure figure = Against(200.123456, 3, {});
  EXPECT_DOUBLE_EQ(figure.value(), 200.1);
  EXPECT_DOUBLE_EQ(figure.ratio(), 66.71);
}

TEST(FigureTest, AFloorOfNothingGivesNoRatio) {
  EXPECT_FALSE(Against(5, 0, {}).has_ratio());
  EXPECT_FALSE(MakeFigure("Map", 5, "us").has_ratio());
}

TEST(FigureTest, ARatioOnItsBoundMeetsTheAim) {
  EXPECT_FALSE(Against(130, 100, RatioAtMost(1.3)).missed());
  EXPECT_FALSE(Against(80, 100, RatioAtLeast(0.8)).missed());
}

TEST(FigureTest, ARatioPastItsBoundMissesTheAim) {
  EXPECT_TRUE(Against(131, 100, RatioAtMost(1.3)).missed());
  EXPECT_TRUE(Against(79, 100, RatioAtLeast(0.8)).missed());
}

TEST(FigureTest, ARatioThatCannotBeHadMissesTheAim) {
  EXPECT_TRUE(Against(1, 0, RatioAtMost(1.3)).missed());
  EXPECT_TRUE(Against(1, 0, RatioAtLeast(0.8)).missed());
}

TEST(FigureTest, AnAimAtTheValueDoesNotLookAtTheFloor) {
  EXPECT_FALSE(Against(1024, 1, ValueAtMost(1024)).missed());
  EXPECT_TRUE(Against(1025, 5000, ValueAtMost(1024)).missed());
}

TEST(FigureTest, WithoutAnAimNothingIsMissed) {
  EXPECT_FALSE(Against(1000, 1, {}).missed());
  EXPECT_EQ(Against(1000, 1, {}).aim(), "");
}

TEST(FigureTest, ATimeIsItsMedianWithTheTailBeside) {
  Samples samples;
  for (int i = 1; i <= 100; ++i) samples.Add(absl::Microseconds(i));
  const Figure figure = MakeTime("Map", samples, Floor{kPing, 25}, RatioAtMost(1.5));
  EXPECT_DOUBLE_EQ(figure.value(), 50);
  EXPECT_DOUBLE_EQ(figure.p99(), 99);
  EXPECT_DOUBLE_EQ(figure.ratio(), 2);
  EXPECT_TRUE(figure.missed());
}

TEST(FigureTest, JsonIsOneLineAndSaysTheSame) {
  const Figure figure = Against(130, 100, RatioAtMost(1.2));
  const std::string line = ToJson(figure);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  Figure read;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(line, &read).ok()) << line;
  EXPECT_EQ(read.SerializeAsString(), figure.SerializeAsString());
}

TEST(FigureTest, JsonHasTheKeysThatScriptsReadAlsoWhereTheyAreEmpty) {
  EXPECT_THAT(ToJson(MakeFigure("idle", 0, "bytes")),
              AllOf(HasSubstr(R"("name":"idle")"), HasSubstr(R"("value":0)"), HasSubstr(R"("unit":"bytes")"),
                    HasSubstr(R"("aim":"")"), HasSubstr(R"("missed":false)")));
}

TEST(FigureTest, JsonLeavesOutWhatThereIsNot) {
  EXPECT_THAT(ToJson(MakeFigure("idle", 3, "bytes")), Not(HasSubstr("ratio")));
}

TEST(FigureTest, TheTableMarksWhatMissesItsAim) {
  EXPECT_THAT(ToTable({Against(131, 100, RatioAtMost(1.3))}), EndsWith("at most 1.3x  MISSED\n"));
  EXPECT_THAT(ToTable({Against(130, 100, RatioAtMost(1.3))}), EndsWith("at most 1.3x  -\n"));
}

}  // namespace
}  // namespace p2pd::bench
