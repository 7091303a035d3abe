#include "deploy/demo/prp.h"

#include <array>

#include "gtest/gtest.h"

namespace demo::nvme {
namespace {

constexpr uint64_t kData = 0x100000000;
constexpr uint64_t kList = 0x7000;
constexpr uint64_t kUntouched = ~uint64_t{0};

class PrpTest : public ::testing::Test {
 protected:
  PrpTest() { entries_.fill(kUntouched); }

  absl::StatusOr<DataPointer> Point(uint64_t iova, uint64_t length) {
    return PointAt(iova, length, {.entries = absl::MakeSpan(entries_), .iova = kList});
  }

  std::array<uint64_t, 32> entries_;
};

TEST_F(PrpTest, OnePageNeedsNoSecondPointer) {
  const auto pointer = Point(kData, 4096);
  ASSERT_TRUE(pointer.ok()) << pointer.status();
  EXPECT_EQ(pointer->prp1, kData);
  EXPECT_EQ(pointer->prp2, 0u);
  EXPECT_EQ(entries_[0], kUntouched);
}

TEST_F(PrpTest, TwoPagesNeedNoList) {
  const auto pointer = Point(kData, 8192);
  ASSERT_TRUE(pointer.ok()) << pointer.status();
  EXPECT_EQ(pointer->prp1, kData);
  EXPECT_EQ(pointer->prp2, kData + 4096);
  EXPECT_EQ(entries_[0], kUntouched);
}

TEST_F(PrpTest, DataThatStartInsideAPageMayReachIntoTheNext) {
  const auto pointer = Point(kData + 512, 4096);
  ASSERT_TRUE(pointer.ok()) << pointer.status();
  EXPECT_EQ(pointer->prp1, kData + 512);
  EXPECT_EQ(pointer->prp2, kData + 4096);
}

TEST_F(PrpTest, MorePagesAreListed) {
  const auto pointer = Point(kData, 128 << 10);
  ASSERT_TRUE(pointer.ok()) << pointer.status();
  EXPECT_EQ(pointer->prp1, kData);
  EXPECT_EQ(pointer->prp2, kList);
  for (size_t i = 0; i < 31; ++i) EXPECT_EQ(entries_[i], kData + (i + 1) * 4096) << i;
  EXPECT_EQ(entries_[31], kUntouched);
}

TEST_F(PrpTest, AFullListIsUsedToItsLastEntry) {
  ASSERT_TRUE(Point(kData, 33 * 4096).ok());
  EXPECT_EQ(entries_[31], kData + 32 * 4096);
}

TEST_F(PrpTest, RefusesWhatTheListCannotHold) {
  EXPECT_TRUE(absl::IsInvalidArgument(Point(kData, 33 * 4096 + 1).status()));
  EXPECT_EQ(entries_[0], kUntouched);
}

TEST_F(PrpTest, RefusesNoDataAndMisalignedData) {
  EXPECT_TRUE(absl::IsInvalidArgument(Point(kData, 0).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Point(kData + 2, 512).status()));
}

}  // namespace
}  // namespace demo::nvme
