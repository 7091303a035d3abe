#include "tests/chaos/tally.h"

#include <cerrno>

#include "daemon/base/errors.h"
#include "gtest/gtest.h"

namespace p2pd::chaos {
namespace {

TEST(TallyTest, AnOutcomeIsNamedAfterTheReason) {
  EXPECT_EQ(Tally::Outcome(absl::OkStatus()), "ok");
  EXPECT_EQ(Tally::Outcome(absl::UnavailableError("hung up")), "disconnected");
  EXPECT_EQ(Tally::Outcome(absl::DeadlineExceededError("late")), "DEADLINE_EXCEEDED");
  EXPECT_EQ(Tally::Outcome(ErrnoError("ioctl", "devices/x", ENODEV)), "KERNEL ioctl ENODEV");
}

TEST(TallyTest, ARefusalWithoutAReasonIsAViolation) {
  testing::internal::CaptureStdout();
  Tally tally;
  EXPECT_FALSE(tally.Count("map", absl::InternalError("what?")));
  EXPECT_NE(testing::internal::GetCapturedStdout().find("violation"), std::string::npos);
}

TEST(TallyTest, WhatPolicyRefusesIsAViolation) {
  EXPECT_FALSE(Tally::IsExplained(MakeError(absl::StatusCode::kPermissionDenied, {.reason = Reason::kPolicy}, "no")));
}

TEST(TallyTest, ARefusalWithAReasonIsNone) {
  testing::internal::CaptureStdout();
  Tally tally;
  EXPECT_FALSE(tally.Count("map", ErrnoError("ioctl", "devices/x", ENODEV)));
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
}

TEST(TallyTest, EachCountIsSaidOnce) {
  testing::internal::CaptureStdout();
  Tally tally;
  tally.Count("look");
  tally.Count("look");
  tally.Say();
  tally.Say();
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "{\"event\": \"did\", \"look\": 2}\n");
}

}  // namespace
}  // namespace p2pd::chaos
