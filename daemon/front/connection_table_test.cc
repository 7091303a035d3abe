#include "daemon/front/connection_table.h"

#include <optional>
#include <vector>

#include "daemon/base/errors.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

TEST(ConnectionTableTest, RefusesAUsersNextConnectionAtHisLimitAndNobodyElses) {
  ConnectionTable table({.per_user = 2, .total = 10});
  const auto first = table.Take(1000);
  const auto second = table.Take(1000);
  ASSERT_TRUE(first.ok() && second.ok());
  const auto third = table.Take(1000);
  EXPECT_EQ(third.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(GetErrorInfo(third.status()).reason, Reason::kQuota);
  EXPECT_TRUE(table.Take(1001).ok());
}

TEST(ConnectionTableTest, AClosedConnectionMakesRoom) {
  ConnectionTable table({.per_user = 1, .total = 10});
  auto lease = table.Take(1000);
  ASSERT_TRUE(lease.ok());
  EXPECT_FALSE(table.Take(1000).ok());
  *lease = ConnectionTable::Lease();
  EXPECT_TRUE(table.Take(1000).ok());
}

TEST(ConnectionTableTest, RootGetsInWhenTheTableIsFull) {
  ConnectionTable table({.per_user = 2, .total = 1});
  const auto lease = table.Take(1000);
  EXPECT_EQ(table.Take(1001).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(table.Take(0).ok());
}

TEST(ConnectionTableTest, ALeaseMayOutliveTheTable) {
  auto table = std::make_optional<ConnectionTable>(ConnectionLimits());
  auto lease = table->Take(1000);
  table.reset();
  EXPECT_TRUE(lease.ok());
}

}  // namespace
}  // namespace p2pd
