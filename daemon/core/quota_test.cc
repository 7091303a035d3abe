#include "daemon/core/quota.h"

#include <utility>

#include "daemon/base/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

TEST(QuotaTest, RefusesWhatIsOverTheLimitAndSaysHowMuchIsUsed) {
  Quota quota({.exports = 2});
  const auto one = quota.Take(1000, Resource::kExports);
  const auto two = quota.Take(1000, Resource::kExports);
  const auto three = quota.Take(1000, Resource::kExports);
  EXPECT_EQ(three.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(GetErrorInfo(three.status()).reason, Reason::kQuota);
  EXPECT_THAT(std::string(three.status().message()), ::testing::HasSubstr("the limit is 2 exports, 2 are in use"));
}

TEST(QuotaTest, ReturnsWhatWasTakenWhenTheChargeGoes) {
  Quota quota({.exports = 1});
  {
    const auto charge = quota.Take(1000, Resource::kExports);
    EXPECT_EQ(quota.Used(1000, Resource::kExports), 1u);
  }
  EXPECT_EQ(quota.Used(1000, Resource::kExports), 0u);
  EXPECT_TRUE(quota.Take(1000, Resource::kExports).ok());
}

TEST(QuotaTest, AMovedChargeReturnsOnce) {
  Quota quota({});
  auto charge = quota.Take(1000, Resource::kMappings, 3);
  Quota::Charge moved = *std::move(charge);
  Quota::Charge again;
  again = std::move(moved);
  EXPECT_EQ(quota.Used(1000, Resource::kMappings), 3u);
  again = Quota::Charge();
  EXPECT_EQ(quota.Used(1000, Resource::kMappings), 0u);
}

TEST(QuotaTest, OneUserDoesNotUseUpAnothersLimit) {
  Quota quota({.sessions = 1});
  const auto one = quota.Take(1000, Resource::kSessions);
  EXPECT_TRUE(quota.Take(1001, Resource::kSessions).ok());
}

TEST(QuotaTest, AnAmountThatWouldOverflowIsRefused) {
  Quota quota({.memory_bytes = 100});
  const auto one = quota.Take(1000, Resource::kMemoryBytes, 60);
  EXPECT_FALSE(quota.Take(1000, Resource::kMemoryBytes, UINT64_MAX - 10).ok());
  EXPECT_TRUE(quota.Take(1000, Resource::kMemoryBytes, 40).ok());
}

}  // namespace
}  // namespace p2pd
