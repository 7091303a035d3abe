#include "daemon/core/rule_ledger.h"

#include <optional>

#include "daemon/base/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;

Verdict Limited(std::optional<uint64_t> count, std::optional<uint64_t> bytes = {}, std::string rule = "few") {
  return {.allowed = true, .rule = rule, .origin = "a:7", .limits = {.max_count = count, .max_bytes = bytes}};
}

TEST(RuleLedgerTest, CountsGrantsOfOneUserUnderOneRule) {
  RuleLedger ledger;
  const auto first = ledger.Take(1000, Limited(2), 1);
  const auto second = ledger.Take(1000, Limited(2), 1);
  EXPECT_TRUE(second.ok());
  EXPECT_FALSE(ledger.Take(1000, Limited(2), 1).ok());
  EXPECT_TRUE(ledger.Take(1001, Limited(2), 1).ok()) << "another user";
  EXPECT_TRUE(ledger.Take(1000, Limited(2, {}, "other"), 1).ok()) << "another rule";
}

TEST(RuleLedgerTest, ARefusalNamesTheRuleAndWhatIsUsed) {
  RuleLedger ledger;
  const auto held = ledger.Take(1000, Limited({}, 4096), 4096);
  const auto refused = ledger.Take(1000, Limited({}, 4096), 1);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(GetErrorInfo(refused.status()).reason, Reason::kQuota);
  EXPECT_EQ(GetErrorInfo(refused.status()).object, "\"few\" (a:7)");
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("uid 1000 holds 4096 of max_bytes 4096"));
}

TEST(RuleLedgerTest, WhatIsReturnedCanBeTakenAgain) {
  RuleLedger ledger;
  auto held = ledger.Take(1000, Limited(1, 100), 100);
  ASSERT_TRUE(held.ok());
  RuleLedger::Charge moved = *std::move(held);
  EXPECT_FALSE(ledger.Take(1000, Limited(1, 100), 1).ok()) << "moving it returns nothing";
  moved = RuleLedger::Charge();
  EXPECT_TRUE(ledger.Take(1000, Limited(1, 100), 100).ok());
}

TEST(RuleLedgerTest, BytesNeverOverflow) {
  RuleLedger ledger;
  const auto held = ledger.Take(1000, Limited({}, UINT64_MAX), UINT64_MAX - 1);
  ASSERT_TRUE(held.ok());
  EXPECT_FALSE(ledger.Take(1000, Limited({}, UINT64_MAX), UINT64_MAX - 1).ok());
}

TEST(RuleLedgerTest, AChargeOutlivesItsLedger) {
  std::optional<RuleLedger> ledger(std::in_place);
  auto held = ledger->Take(1000, Limited(1), 1);
  ledger.reset();
  EXPECT_TRUE(held.ok());
}

}  // namespace
}  // namespace p2pd
