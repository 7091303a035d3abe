// The man page and the completions know every command, option and exit status there is.
#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/substitute.h"
#include "client/p2pctl/command_line.h"
#include "client/p2pctl/commands.h"
#include "client/p2pctl/exit_status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2p::ctl {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

constexpr std::array<const char*, 8> kGlobalOptions = {"--json",      "--no-legend",   "--color",   "--timeout",
                                                       "--fd-socket", "--grpc-socket", "--version", "--help"};

std::string Read(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.is_open()) << path;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

class DocumentationTest : public ::testing::Test {
 protected:
  const std::vector<Command> commands_ = AllCommands();
  const std::string man_ = absl::StrReplaceAll(Read("deploy/man/p2pctl.1"), {{"\\-", "-"}});
};

TEST_F(DocumentationTest, TheManPageHasEveryCommandAndItsOptions) {
  for (const Command& command : commands_) {
    // The macro: its operand is in italics.
    const char* macro = command.operand.has_value() ? "\n.BI \"" : "\n.B";
    EXPECT_THAT(man_, ContainsRegex(absl::StrCat(macro, "R? ?", command.name)));
    for (const CommandOption& option : command.options) EXPECT_THAT(man_, HasSubstr(option.name));
  }
}

TEST_F(DocumentationTest, TheManPageAndHelpHaveEveryGlobalOption) {
  const std::string help = ParseCommandLine({"--help"}, commands_)->text;
  for (const char* option : kGlobalOptions) {
    EXPECT_THAT(help, HasSubstr(option));
    EXPECT_THAT(man_, HasSubstr(option));
  }
}

TEST_F(DocumentationTest, TheManPageAndHelpHaveEveryExitStatus) {
  const std::string help = ParseCommandLine({"--help"}, commands_)->text;
  for (const ExitStatus status :
       {ExitStatus::kOk, ExitStatus::kFailed, ExitStatus::kUsage, ExitStatus::kNoConnection, ExitStatus::kDenied,
        ExitStatus::kNotFound, ExitStatus::kTimeout, ExitStatus::kNotExecutable, ExitStatus::kNoCommand}) {
    const std::string number = absl::StrCat(static_cast<int>(status));
    EXPECT_THAT(man_, HasSubstr(absl::StrCat("\n.TP\n.B ", number, "\n")));
    EXPECT_THAT(help, ContainsRegex(absl::StrCat("[ \n]", number, " ")));
  }
}

// How a shell's completion spells what it knows.
struct Shell {
  const char* name;
  const char* file;
  // Regular expressions; $0 is a command's first word, or an option without its dashes.
  const char* command;
  const char* option;
  // Says that a file is well-formed, where the shell is installed.
  const char* check;
};

class CompletionTest : public DocumentationTest, public ::testing::WithParamInterface<Shell> {
 protected:
  bool Knows(const char* pattern, absl::string_view word) const {
    return std::regex_search(completion_, std::regex(absl::Substitute(pattern, word)));
  }
  const std::string completion_ = Read(GetParam().file);
};

TEST_P(CompletionTest, HasEveryCommandAndItsOptions) {
  for (const Command& command : commands_) {
    EXPECT_TRUE(Knows(GetParam().command, command.name.substr(0, command.name.find(' ')))) << command.name;
    for (const CommandOption& option : command.options) {
      EXPECT_TRUE(Knows(GetParam().option, option.name.substr(2))) << option.name;
    }
  }
}

TEST_P(CompletionTest, HasEveryGlobalOption) {
  for (const absl::string_view option : kGlobalOptions) {
    EXPECT_TRUE(Knows(GetParam().option, option.substr(2))) << option;
  }
}

TEST_P(CompletionTest, AsksForEveryKindOfObject) {
  for (const char* list : {"devices", "sessions", "exports", "operations"}) {
    EXPECT_TRUE(Knows("_p2pctl_(ask|names|show)[a-z_]* .*$0", list)) << list;
  }
  EXPECT_THAT(completion_, HasSubstr("2>/dev/null"));  // without p2pd it is silent
}

TEST_P(CompletionTest, IsWellFormedForItsShell) {
  const std::string found = absl::StrCat("command -v ", GetParam().name, " >/dev/null");
  if (system(found.c_str()) != 0) GTEST_SKIP() << GetParam().name << " is not installed";
  EXPECT_EQ(system(absl::StrCat(GetParam().check, " ", GetParam().file).c_str()), 0);
}

INSTANTIATE_TEST_SUITE_P(
    Shells, CompletionTest,
    ::testing::Values(Shell{"bash", "deploy/completions/p2pctl.bash", "commands\\+?=\"([a-z -]* )?$0[ \"]",
                            "--$0[ \"\\n]", "bash -n"},
                      Shell{"zsh", "deploy/completions/_p2pctl", "\n    ['\"]$0:", "--$0(=?\\[|\\}'\\[)", "zsh -n"},
                      Shell{"fish", "deploy/completions/p2pctl.fish", " -a $0 -d ", " -l $0 ", "fish -n"}),
    [](const ::testing::TestParamInfo<Shell>& shell) { return std::string(shell.param.name); });

}  // namespace
}  // namespace p2p::ctl
