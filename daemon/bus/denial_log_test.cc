#include "daemon/bus/denial_log.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const absl::Time kStart = absl::FromUnixSeconds(1000);

Denial Of(uint32_t uid) {
  return {.session = {.id = SessionId(7), .peer = {.subject = {.uid = uid}}},
          .action = Action::kMap,
          .object = "exports/5",
          .verdict = {.rule = "no", .origin = "a:3", .reason = "because"}};
}

TEST(DenialLogTest, EachIsToldUntilThereAreTooMany) {
  DenialLog log;
  for (uint64_t i = 0; i < DenialLog::kLogged; ++i) EXPECT_THAT(log.Note(Of(1000), kStart), SizeIs(1));
  EXPECT_EQ(log.due(), std::nullopt) << "all has been told";
  EXPECT_THAT(log.Note(Of(1000), kStart), IsEmpty());
  EXPECT_EQ(log.due(), kStart + DenialLog::kPeriod);
  EXPECT_THAT(log.Note(Of(1001), kStart), SizeIs(1)) << "another user has its own share";
}

TEST(DenialLogTest, WhatWasNotToldIsCounted) {
  DenialLog log;
  for (uint64_t i = 0; i < DenialLog::kLogged + 25; ++i) log.Note(Of(1000), kStart);
  EXPECT_THAT(log.Flush(kStart + absl::Seconds(59)), IsEmpty());
  const auto told = log.Flush(kStart + DenialLog::kPeriod);
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_THAT(told[0].message, HasSubstr("uid 1000 was denied 25 times more"));
  EXPECT_THAT(log.Flush(kStart + absl::Hours(1)), IsEmpty()) << "once";
  EXPECT_EQ(log.due(), std::nullopt);
}

TEST(DenialLogTest, AfterAMinuteEachIsToldAgain) {
  DenialLog log;
  for (uint64_t i = 0; i < DenialLog::kLogged + 1; ++i) log.Note(Of(1000), kStart);
  EXPECT_THAT(log.Note(Of(1000), kStart + DenialLog::kPeriod), SizeIs(2)) << "the count of before, and this one";
}

TEST(DenialLogTest, NamesWhoWhatAndTheRule) {
  const LogEntry entry = EntryFor(Of(1000));
  EXPECT_THAT(entry.message, HasSubstr("sessions/7 (uid 1000"));
  EXPECT_THAT(entry.message, HasSubstr("may not MAP exports/5: because"));
  for (const LogField& field : entry.fields) {
    if (field.name == "P2PD_RULE_ORIGIN") {
      EXPECT_EQ(field.value, "a:3");
    }
  }
}

}  // namespace
}  // namespace p2pd
