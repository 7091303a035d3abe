// The man page and the completion know every command, option and exit status there is.
#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/p2pctl/command_line.h"
#include "client/p2pctl/commands.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2p::ctl {
namespace {

using ::testing::HasSubstr;

std::string Read(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.is_open()) << path;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

class DocumentationTest : public ::testing::Test {
 protected:
  const std::vector<Command> commands_ = AllCommands();
  const std::string man_ = absl::StrReplaceAll(Read("deploy/man/p2pctl.1"), {{"\\-", "-"}});
  const std::string completion_ = Read("deploy/completions/p2pctl.bash");
};

TEST_F(DocumentationTest, TheManPageHasEveryCommandAndItsOptions) {
  for (const Command& command : commands_) {
    // The macro: its operand is in italics.
    const char* macro = command.operand.has_value() ? "\n.BI \"" : "\n.B";
    EXPECT_THAT(man_, ::testing::ContainsRegex(absl::StrCat(macro, "R? ?", command.name)));
    for (const CommandOption& option : command.options) EXPECT_THAT(man_, HasSubstr(option.name));
  }
}

TEST_F(DocumentationTest, TheCompletionHasEveryCommandAndItsOptions) {
  for (const Command& command : commands_) {
    EXPECT_THAT(completion_, HasSubstr(command.name.substr(0, command.name.find(' '))));
    for (const CommandOption& option : command.options) EXPECT_THAT(completion_, HasSubstr(option.name));
  }
}

TEST_F(DocumentationTest, BothHaveEveryGlobalOption) {
  for (const char* option :
       {"--json", "--no-legend", "--color", "--timeout", "--fd-socket", "--grpc-socket", "--version", "--help"}) {
    EXPECT_THAT(ParseCommandLine({"--help"}, commands_)->text, HasSubstr(option));
    EXPECT_THAT(man_, HasSubstr(option));
    EXPECT_THAT(completion_, HasSubstr(option));
  }
}

TEST_F(DocumentationTest, TheManPageHasEveryExitStatus) {
  for (int status = 0; status <= 6; ++status) {
    EXPECT_THAT(man_, HasSubstr(absl::StrCat(".TP\n.B ", status, "\n")));
    EXPECT_THAT(ParseCommandLine({"--help"}, commands_)->text, HasSubstr(absl::StrCat("\n  ", status, "  ")));
  }
}

}  // namespace
}  // namespace p2p::ctl
