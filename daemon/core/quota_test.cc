#include "daemon/core/quota.h"

#include <utility>

#include "daemon/base/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;

constexpr Holder kAlice = {.uid = 1000, .session = 7};
constexpr Holder kAlicesOther = {.uid = 1000, .session = 9};
constexpr Holder kBob = {.uid = 1001, .session = 8};
constexpr Holder kRoot = {.uid = 0, .session = 10};

QuotaLimits Limit(Resource resource, ResourceLimit limit) {
  QuotaLimits limits;
  limits[resource] = limit;
  return limits;
}

TEST(QuotaTest, RefusesWhatIsOverTheLimitAndSaysWhichSessionsUseIt) {
  Quota quota(Limit(Resource::kExports, {.per_user = 3, .total = 100}));
  const auto one = quota.Take(kAlice, Resource::kExports);
  const auto two = quota.Take(kAlicesOther, Resource::kExports, 2);
  const auto more = quota.Take(kAlice, Resource::kExports);
  EXPECT_EQ(more.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(GetErrorInfo(more.status()).reason, Reason::kQuota);
  EXPECT_THAT(std::string(more.status().message()),
              HasSubstr("a user may have 3 exports; 3 are in use (sessions/9: 2, sessions/7: 1), 1 more"));
}

TEST(QuotaTest, ReturnsWhatWasTakenWhenTheChargeGoes) {
  Quota quota(Limit(Resource::kExports, {.per_user = 1, .total = 1}));
  {
    const auto charge = quota.Take(kAlice, Resource::kExports);
    EXPECT_EQ(quota.Used(kAlice.uid, Resource::kExports), 1u);
    EXPECT_EQ(quota.UsedInTotal(Resource::kExports), 1u);
  }
  EXPECT_EQ(quota.Used(kAlice.uid, Resource::kExports), 0u);
  EXPECT_EQ(quota.UsedInTotal(Resource::kExports), 0u);
  EXPECT_TRUE(quota.Take(kBob, Resource::kExports).ok());
}

TEST(QuotaTest, AMovedChargeReturnsOnce) {
  Quota quota{QuotaLimits()};
  auto charge = quota.Take(kAlice, Resource::kMappings, 3);
  Quota::Charge moved = *std::move(charge);
  Quota::Charge again;
  again = std::move(moved);
  EXPECT_EQ(quota.Used(kAlice.uid, Resource::kMappings), 3u);
  again = Quota::Charge();
  EXPECT_EQ(quota.Used(kAlice.uid, Resource::kMappings), 0u);
}

TEST(QuotaTest, OneUserDoesNotUseUpAnothersLimit) {
  Quota quota(Limit(Resource::kSessions, {.per_user = 1, .total = 2}));
  const auto one = quota.Take(kAlice, Resource::kSessions);
  EXPECT_TRUE(quota.Take(kBob, Resource::kSessions).ok());
}

TEST(QuotaTest, AllUsersTogetherHaveALimitThatOnlyRootPasses) {
  Quota quota(Limit(Resource::kSessions, {.per_user = 2, .total = 2}));
  const auto one = quota.Take(kAlice, Resource::kSessions);
  const auto two = quota.Take(kBob, Resource::kSessions);
  const auto more = quota.Take(kBob, Resource::kSessions);
  EXPECT_THAT(std::string(more.status().message()),
              HasSubstr("all users together may have 2 sessions; 2 are in use, by 2 users"));
  EXPECT_TRUE(quota.Take(kRoot, Resource::kSessions).ok());
}

TEST(QuotaTest, AnAmountThatWouldOverflowIsRefused) {
  Quota quota(Limit(Resource::kMemoryBytes, {.per_user = 100, .total = UINT64_MAX}));
  const auto one = quota.Take(kAlice, Resource::kMemoryBytes, 60);
  EXPECT_FALSE(quota.Take(kAlice, Resource::kMemoryBytes, UINT64_MAX - 10).ok());
  EXPECT_TRUE(quota.Take(kAlice, Resource::kMemoryBytes, 40).ok());
}

}  // namespace
}  // namespace p2pd
