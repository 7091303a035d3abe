#include "daemon/bus/unit_killer.h"

#include "daemon/base/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;

std::string WhyNot(absl::string_view unit) { return std::string(CheckKillable(unit, "p2pd.service").message()); }

TEST(UnitKillerTest, AServiceAndAScopeMayBeKilled) {
  EXPECT_EQ(WhyNot("spdk.service"), "");
  EXPECT_EQ(WhyNot("session-4.scope"), "");
}

TEST(UnitKillerTest, P2pdItselfAndPid1AreSpared) {
  EXPECT_THAT(WhyNot("p2pd.service"), HasSubstr("own unit"));
  EXPECT_THAT(WhyNot("init.scope"), HasSubstr("PID 1"));
}

TEST(UnitKillerTest, WhatHoldsMoreThanOneProgramIsSpared) {
  EXPECT_THAT(WhyNot("user@1000.service"), HasSubstr("user's manager"));
  EXPECT_THAT(WhyNot("system.slice"), HasSubstr("neither"));
  EXPECT_THAT(WhyNot("dbus.socket"), HasSubstr("neither"));
}

TEST(UnitKillerTest, WhoeverRunsInNoUnitIsSpared) { EXPECT_THAT(WhyNot(""), HasSubstr("no unit")); }

TEST(UnitKillerTest, SaysThatThereIsNoBus) {
  const UnitKiller killer({.address = "unix:path=/nonexistent/bus"});
  const absl::Status status = killer.Kill("spdk.service");
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("there is no bus at unix:path=/nonexistent/bus"));
}

}  // namespace
}  // namespace p2pd
