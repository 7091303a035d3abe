#include "tests/bench/samples.h"

#include "absl/status/status.h"
#include "gtest/gtest.h"

namespace p2pd::bench {
namespace {

Samples Of(std::initializer_list<int> microseconds) {
  Samples samples;
  for (const int one : microseconds) samples.Add(absl::Microseconds(one));
  return samples;
}

TEST(SamplesTest, TheMedianIsTheLowerMiddleOne) {
  EXPECT_EQ(Of({5, 1, 3}).Percentile(50), 3);
  EXPECT_EQ(Of({4, 1, 3, 2}).Percentile(50), 2);
}

TEST(SamplesTest, APercentileIsASampleThatSoManyDoNotExceed) {
  Samples samples;
  for (int i = 200; i >= 1; --i) samples.Add(absl::Microseconds(i));
  EXPECT_EQ(samples.Percentile(99), 198);
  EXPECT_EQ(samples.Percentile(100), 200);
  EXPECT_EQ(samples.Percentile(0), 1);
}

TEST(SamplesTest, OneSampleIsEveryPercentile) {
  EXPECT_EQ(Of({7}).Percentile(1), 7);
  EXPECT_EQ(Of({7}).Percentile(99), 7);
}

TEST(SamplesTest, NoSamplesAreNothing) { EXPECT_EQ(Samples().Percentile(50), 0); }

TEST(SamplesTest, AskingChangesNothing) {
  const Samples samples = Of({9, 1, 5});
  EXPECT_EQ(samples.Percentile(50), 5);
  EXPECT_EQ(samples.Percentile(100), 9);
  EXPECT_EQ(samples.Percentile(50), 5);
}

TEST(SamplesTest, ACallThatFailsIsNoSample) {
  Samples samples;
  EXPECT_FALSE(samples.Time([] { return absl::InternalError("no"); }).ok());
  EXPECT_EQ(samples.size(), 0u);
  EXPECT_TRUE(samples.Time([] { return absl::OkStatus(); }).ok());
  EXPECT_EQ(samples.size(), 1u);
}

}  // namespace
}  // namespace p2pd::bench
