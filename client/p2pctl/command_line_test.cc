// The command line: what is understood, and what is said about what is not.
#include "client/p2pctl/command_line.h"

#include "absl/strings/str_cat.h"
#include "client/p2pctl/commands.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2p::ctl {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class CommandLineTest : public ::testing::Test {
 protected:
  absl::StatusOr<CommandLine> Parse(const std::vector<std::string>& words) {
    return ParseCommandLine(words, commands_);
  }
  std::string Refusal(const std::vector<std::string>& words) {
    const auto line = Parse(words);
    return line.ok() ? "accepted" : std::string(line.status().message());
  }

  const std::vector<Command> commands_ = AllCommands();
};

TEST_F(CommandLineTest, EveryCommandIsUnderstoodAndHasHelp) {
  for (const Command& command : commands_) {
    std::vector<std::string> words;
    const size_t space = command.name.find(' ');
    words.push_back(command.name.substr(0, space));
    if (space != std::string::npos) words.push_back(command.name.substr(space + 1));
    std::vector<std::string> asking = words;
    asking.push_back("--help");
    const auto help = Parse(asking);
    ASSERT_TRUE(help.ok()) << help.status();
    EXPECT_EQ(help->command, nullptr);
    EXPECT_THAT(help->text, HasSubstr(command.help));
    const std::map<std::string, std::string> operands = {{"BDF", "01:00.0"},         {"N", "5"},
                                                         {"SESSION", "7"},           {"NAME", "exports/12"},
                                                         {"WINDOW", "01:00.0/2+4K"}, {"PATH", "/etc/p2pd/policy.d"},
                                                         {"FILE", "a.expect"},       {"ACTION", "MAP"}};
    if (command.operand.has_value()) words.push_back(operands.at(command.operand->placeholder));
    if (!command.trailing.empty()) words.insert(words.end(), {"--", "true"});
    const auto line = Parse(words);
    ASSERT_TRUE(line.ok()) << line.status();
    EXPECT_EQ(line->command, &command);
  }
}

TEST_F(CommandLineTest, HelpListsTheCommandsAndTheExitStatuses) {
  const auto line = Parse({"--help"});
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_THAT(line->text, AllOf(HasSubstr("address-spaces"), HasSubstr("Exit status:"),
                                HasSubstr("3  no connection to p2pd"), HasSubstr("--fd-socket PATH")));
}

TEST_F(CommandLineTest, VersionNamesTheProgram) { EXPECT_EQ(Parse({"--version"})->text.substr(0, 7), "p2pctl "); }

TEST_F(CommandLineTest, GlobalOptionsMayStandBeforeOrAfterTheCommand) {
  for (const auto& words : {std::vector<std::string>{"--json", "--timeout=2.5", "device", "show", "01:00.0"},
                            std::vector<std::string>{"device", "show", "01:00.0", "--json", "--timeout", "2.5"}}) {
    const auto line = Parse(words);
    ASSERT_TRUE(line.ok()) << line.status();
    EXPECT_TRUE(line->options.json);
    EXPECT_EQ(line->options.timeout, absl::Milliseconds(2500));
    EXPECT_EQ(line->arguments.object, "devices/0000:01:00.0");
  }
}

TEST_F(CommandLineTest, OptionsOfACommandReachIt) {
  const auto line = Parse({"watch", "--count", "3", "--until-in-sync"});
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_EQ(line->arguments.Number("--count"), 3u);
  EXPECT_EQ(line->arguments.Number("--until-in-sync"), 1u);
  EXPECT_EQ(Parse({"watch"})->arguments.Number("--count"), 0u);
}

TEST_F(CommandLineTest, AnOptionWithATextMayBeGivenMoreThanOnce) {
  const auto line = Parse({"acquire", "--for", "02:00.0", "01:00.0/2+4K", "--for=03:00.0", "--raw"});
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_THAT(line->arguments.Values("--for"), ElementsAre("devices/0000:02:00.0", "devices/0000:03:00.0"));
  EXPECT_EQ(line->arguments.object, "01:00.0/2+4K");
  EXPECT_TRUE(line->arguments.Has("--raw"));
}

TEST_F(CommandLineTest, ACommandOfSeveralWordsTellsEachOfThem) {
  EXPECT_THAT(Parse({"--help"})->text, AllOf(HasSubstr("show: Show one device"), HasSubstr("recover: Try again")));
  EXPECT_EQ(Parse({"device", "recover", "01:00.0", "--progress=never"})->arguments.object, "devices/0000:01:00.0");
  EXPECT_EQ(Refusal({"device", "recoevr", "01:00.0"}), "unknown command 'recoevr' (did you mean 'recover'?)");
}

TEST_F(CommandLineTest, ATimeToLiveIsCheckedBeforeAnybodyIsAsked) {
  EXPECT_THAT(Refusal({"acquire", "01:00.0/2+4K", "--time-to-live=30"}), HasSubstr("write 500ms, 30s, 10m or 1h30m"));
}

TEST_F(CommandLineTest, SomeOperandsMayBeGivenAnyNumberOfTimes) {
  EXPECT_THAT(Parse({"policy", "check"})->arguments.objects, ElementsAre());
  EXPECT_THAT(Parse({"policy", "check", "a", "--json", "b"})->arguments.objects, ElementsAre("a", "b"));
  EXPECT_THAT(Refusal({"policy", "test", "a", "b"}), HasSubstr("unexpected argument 'b'"));
}

TEST_F(CommandLineTest, WhatFollowsTwoDashesIsTheCommandsOwn) {
  const auto line = Parse({"run", "--drive=02:00.0", "--", "nvme", "--json", "--", "--drive"});
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_THAT(line->arguments.trailing, ElementsAre("nvme", "--json", "--", "--drive"));
  EXPECT_FALSE(line->options.json);
}

TEST_F(CommandLineTest, ACommandToRunThatIsMissingOrMisplacedIsExplained) {
  EXPECT_EQ(Refusal({"run", "--drive=02:00.0"}), "the command to run is missing (p2pctl run -- COMMAND [ARGUMENT...])");
  EXPECT_EQ(Refusal({"run", "--drive=02:00.0", "nvme"}),
            "unexpected argument 'nvme' (the command to run stands after --)");
  EXPECT_EQ(Refusal({"devices", "--", "nvme"}), "unexpected argument 'nvme' (p2pctl devices --help tells how)");
  EXPECT_THAT(Parse({"run", "--help"})->text, HasSubstr("p2pctl run [OPTIONS] -- COMMAND [ARGUMENT...]"));
}

TEST_F(CommandLineTest, AnOptionsTextIsCheckedBeforeAnybodyIsAsked) {
  EXPECT_THAT(Refusal({"run", "--drive", "nvme0", "--", "true"}), HasSubstr("'nvme0' is not a device's address"));
  EXPECT_THAT(Refusal({"run", "--acquire", "01:00.0", "--", "true"}), HasSubstr("'01:00.0' is not a window"));
}

TEST_F(CommandLineTest, AMistypedCommandIsCorrected) {
  EXPECT_EQ(Refusal({"devcies"}), "unknown command 'devcies' (did you mean 'devices'?)");
  EXPECT_EQ(Refusal({"device", "shwo", "01:00.0"}), "unknown command 'shwo' (did you mean 'show'?)");
  EXPECT_EQ(Refusal({"frobnicate"}), "unknown command 'frobnicate' (p2pctl --help tells what there is)");
}

TEST_F(CommandLineTest, AMistypedOptionIsCorrected) {
  EXPECT_EQ(Refusal({"devices", "--jsno"}), "unknown option '--jsno' (did you mean '--json'?)");
  EXPECT_EQ(Refusal({"watch", "--cuont", "3"}), "unknown option '--cuont' (did you mean '--count'?)");
}

TEST_F(CommandLineTest, WithoutACommandItSaysWhichThereAre) {
  EXPECT_THAT(Refusal({}), AllOf(HasSubstr("a command is missing"), HasSubstr("devices")));
  EXPECT_EQ(Refusal({"device"}), "a command is missing (one of show, recover)");
}

TEST_F(CommandLineTest, AMissingOperandIsNamed) {
  EXPECT_EQ(Refusal({"reset"}), "BDF is required (p2pctl reset --help tells how)");
}

TEST_F(CommandLineTest, AnOperandTooManyIsRefused) {
  EXPECT_THAT(Refusal({"devices", "01:00.0"}), HasSubstr("unexpected argument '01:00.0'"));
  EXPECT_THAT(Refusal({"reset", "01:00.0", "02:00.0"}), HasSubstr("unexpected argument '02:00.0'"));
  EXPECT_THAT(Refusal({"devices", "sessions"}), HasSubstr("unexpected argument 'sessions'"));
}

TEST_F(CommandLineTest, AnAddressThatIsNoneIsRefusedBeforeAnybodyIsAsked) {
  EXPECT_THAT(Refusal({"reset", "nvme0"}), HasSubstr("'nvme0' is not a device's address"));
}

TEST_F(CommandLineTest, ValuesOutOfRangeAreRefused) {
  EXPECT_EQ(Refusal({"devices", "--color", "sometimes"}),
            "--color: 'sometimes' is not auto, always or never (p2pctl devices --help tells how)");
  for (const char* timeout : {"0", "-1", "soon", "inf", "nan", "1e300", ""}) {
    EXPECT_THAT(Refusal({"devices", absl::StrCat("--timeout=", timeout)}), HasSubstr("--timeout")) << timeout;
  }
  for (const char* count : {"0", "-1", "2.5", "many", "99999999999999999999"}) {
    EXPECT_EQ(Refusal({"watch", absl::StrCat("--count=", count)}),
              absl::StrCat("--count: '", count, "' is not a whole number above 0 (p2pctl watch --help tells how)"));
  }
}

}  // namespace
}  // namespace p2p::ctl
