#include "client/p2pctl/lifetime.h"

#include <poll.h>

#include "gtest/gtest.h"

namespace p2p::ctl {
namespace {

void WaitUntilOver(const Lifetime& lifetime) {
  pollfd wait = {.fd = lifetime.fd().get(), .events = POLLIN};
  ASSERT_EQ(poll(&wait, 1, -1), 1);
}

TEST(LifetimeTest, IsOverWhenItsTimeHasPassedAndStaysSo) {
  const auto lifetime = Lifetime::Begin(absl::Milliseconds(1));
  ASSERT_TRUE(lifetime.ok()) << lifetime.status();
  WaitUntilOver(*lifetime);
  EXPECT_TRUE(lifetime->is_over());
  EXPECT_TRUE(lifetime->is_over());
}

TEST(LifetimeTest, ThatWhichBeginsAnewIsNotOver) {
  auto lifetime = Lifetime::Begin(absl::Milliseconds(500));
  ASSERT_TRUE(lifetime.ok()) << lifetime.status();
  WaitUntilOver(*lifetime);
  lifetime->BeginAnew();
  EXPECT_FALSE(lifetime->is_over());
}

TEST(LifetimeTest, AnInfiniteOneIsNeverOver) {
  auto lifetime = Lifetime::Begin(absl::InfiniteDuration());
  ASSERT_TRUE(lifetime.ok()) << lifetime.status();
  EXPECT_FALSE(lifetime->is_over());
  lifetime->BeginAnew();
  EXPECT_FALSE(lifetime->is_over());
}

}  // namespace
}  // namespace p2p::ctl
