#include "daemon/service/log.h"

#include "gtest/gtest.h"

namespace p2pd {
namespace {

TEST(LogTest, PutsThePriorityInFrontForTheJournal) {
  EXPECT_EQ(FormatLogLine(LogLevel::kWarning, "slow reset", true), "<4>slow reset\n");
}

TEST(LogTest, NamesThePriorityOnATerminalOnlyWhereItMatters) {
  EXPECT_EQ(FormatLogLine(LogLevel::kInfo, "ready", false), "p2pd: ready\n");
  EXPECT_EQ(FormatLogLine(LogLevel::kError, "no policy", false), "p2pd: error: no policy\n");
}

TEST(LogTest, AClientsNameCannotForgeALine) {
  EXPECT_EQ(FormatLogLine(LogLevel::kInfo, "session of \"x\n<3>all is lost\"", true),
            "<6>session of \\\"x\\n<3>all is lost\\\"\n");
}

TEST(LogTest, KeepsOtherPeoplesLettersReadable) {
  EXPECT_EQ(FormatLogLine(LogLevel::kInfo, "grüße", false), "p2pd: grüße\n");
}

TEST(LogTest, RefusesALevelThatItDoesNotKnow) {
  EXPECT_EQ(*ParseLogLevel("debug"), LogLevel::kDebug);
  EXPECT_EQ(ParseLogLevel("loud").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace p2pd
