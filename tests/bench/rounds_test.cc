#include "tests/bench/rounds.h"

#include <string>

#include "gtest/gtest.h"

namespace p2pd::bench {
namespace {

TEST(RoundsTest, BlocksTakeTurns) {
  Rounds rounds;
  std::string order;
  rounds.Add(2, [&] {
    order += 'a';
    return absl::OkStatus();
  });
  rounds.Add(1, [&] {
    order += 'b';
    return absl::OkStatus();
  });
  ASSERT_TRUE(rounds.Run(2).ok());
  EXPECT_EQ(order, "aabaabaab");  // the first to warm up
}

TEST(RoundsTest, WhatIsTakenAwayAfterwardsIsTakenAwayOnceABlock) {
  Rounds rounds;
  std::string order;
  const auto say = [&](char what) {
    return [&order, what] {
      order += what;
      return absl::OkStatus();
    };
  };
  rounds.Add(3, say('a'), say('.'));
  ASSERT_TRUE(rounds.Run(1).ok());
  EXPECT_EQ(order, "aaa.aaa.");
}

TEST(RoundsTest, TheWarmUpLeavesNoSamples) {
  Rounds rounds;
  Samples& samples = rounds.NewSamples();
  rounds.Add(3, [&] { return samples.Time([] { return absl::OkStatus(); }); });
  ASSERT_TRUE(rounds.Run(20).ok());
  EXPECT_EQ(samples.size(), 60u);
}

TEST(RoundsTest, AnErrorEndsIt) {
  Rounds rounds;
  int calls = 0;
  rounds.Add(1, [&] { return ++calls == 3 ? absl::InternalError("broken") : absl::OkStatus(); });
  EXPECT_EQ(rounds.Run(10).message(), "broken");
  EXPECT_EQ(calls, 3);
}

}  // namespace
}  // namespace p2pd::bench
