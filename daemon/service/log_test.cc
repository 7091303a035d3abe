#include "daemon/service/log.h"

#include "absl/strings/str_cat.h"
#include "daemon/service/message_ids.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;

TEST(LogTest, GivesTheJournalFieldsToSearchBy) {
  EXPECT_THAT(JournalFields({.level = LogLevel::kWarning,
                             .message = "slow reset",
                             .id = kDeviceReset,
                             .fields = {{"P2PD_DEVICE", "devices/0000:01:00.0"}}}),
              ElementsAre("MESSAGE=slow reset", "PRIORITY=4", "SYSLOG_IDENTIFIER=p2pd",
                          absl::StrCat("MESSAGE_ID=", kDeviceReset), "P2PD_DEVICE=devices/0000:01:00.0"));
}

TEST(LogTest, GivesTheJournalNoEmptyMessageId) {
  EXPECT_THAT(JournalFields({.message = "ready"}),
              ElementsAre("MESSAGE=ready", "PRIORITY=6", "SYSLOG_IDENTIFIER=p2pd"));
}

TEST(LogTest, NamesThePriorityOnATerminalOnlyWhereItMatters) {
  EXPECT_EQ(FormatLogLine(LogLevel::kInfo, "ready"), "p2pd: ready\n");
  EXPECT_EQ(FormatLogLine(LogLevel::kError, "no policy"), "p2pd: error: no policy\n");
}

TEST(LogTest, AClientsNameCannotForgeALine) {
  EXPECT_EQ(FormatLogLine(LogLevel::kInfo, "session of \"x\n<3>all is lost\""),
            "p2pd: session of \"x\\n<3>all is lost\"\n");
  EXPECT_THAT(JournalFields({.message = "x", .fields = {{"P2PD_CLIENT", "a\nPRIORITY=0"}}}),
              Contains("P2PD_CLIENT=a\\nPRIORITY=0"));
}

TEST(LogTest, LeavesQuotesAsTheyAre) {
  EXPECT_EQ(FormatLogLine(LogLevel::kInfo, R"(rule "map" of 'x\')"), "p2pd: rule \"map\" of 'x\\\\'\n");
}

TEST(LogTest, KeepsOtherPeoplesLettersReadable) { EXPECT_EQ(FormatLogLine(LogLevel::kInfo, "grüße"), "p2pd: grüße\n"); }

TEST(LogTest, RefusesALevelThatItDoesNotKnow) {
  EXPECT_EQ(*ParseLogLevel("debug"), LogLevel::kDebug);
  EXPECT_EQ(ParseLogLevel("loud").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace p2pd
