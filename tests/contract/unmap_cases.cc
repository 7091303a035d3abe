// Unmapping: afterwards no device reaches what was there.
#include <cerrno>

#include "tests/contract/fixture.h"

namespace p2pd::contract {
namespace {

class UnmapTest : public DmaTest {
 protected:
  void SetUp() override {
    DmaTest::SetUp();
    exporter_ = OpenBound(Role::kPlainMemory, context_);
    absl::StatusOr<UniqueFd> dma_buf = Export(exporter_, 16 * kPage);
    ASSERT_THAT(dma_buf, Succeeds());
    dma_buf_ = *std::move(dma_buf);
  }

  absl::Status MapWindow(uint64_t page, uint64_t pages) {
    return Map(context_, ioas_, dma_buf_, kWindowIova + page * kPage, pages * kPage, page * kPage);
  }
  absl::Status UnmapWindow(uint64_t page, uint64_t pages) {
    return Unmap(context_, ioas_, kWindowIova + page * kPage, pages * kPage);
  }

  UniqueFd exporter_;
  UniqueFd dma_buf_;
};

TEST_F(UnmapTest, StopsTheDevice) {
  WriteBar(exporter_, kMemoryBar, 0, Pattern(1));
  ASSERT_THAT(MapWindow(0, 1), Succeeds());
  ASSERT_EQ(Fetch(kWindowIova), Pattern(1, kChunk));
  ASSERT_THAT(UnmapWindow(0, 1), Succeeds());
  EXPECT_NE(Fetch(kWindowIova), Pattern(1, kChunk));
  Put(kWindowIova, Pattern(2, kChunk));
  EXPECT_EQ(ReadBar(exporter_, kMemoryBar, 0), Pattern(1));
}

TEST_F(UnmapTest, MakesRoomForAnotherMapping) {
  WriteBar(exporter_, kMemoryBar, 0, Pattern(3));
  ASSERT_THAT(MapWindow(0, 1), Succeeds());
  ASSERT_THAT(UnmapWindow(0, 1), Succeeds());
  ASSERT_THAT(MapWindow(0, 1), Succeeds());
  EXPECT_EQ(Fetch(kWindowIova), Pattern(3, kChunk));
}

TEST_F(UnmapTest, FindsNothingWhereNothingIs) {
  EXPECT_THAT(UnmapWindow(0, 1), FailsWith(ENOENT));
  ASSERT_THAT(MapWindow(0, 1), Succeeds());
  ASSERT_THAT(UnmapWindow(0, 1), Succeeds());
  EXPECT_THAT(UnmapWindow(0, 1), FailsWith(ENOENT));
}

TEST_F(UnmapTest, TakesEveryAreaInTheRange) {
  ASSERT_THAT(MapWindow(1, 1), Succeeds());
  ASSERT_THAT(MapWindow(4, 2), Succeeds());
  ASSERT_THAT(UnmapWindow(0, 16), Succeeds());
  EXPECT_THAT(MapWindow(0, 16), Succeeds());
}

TEST_F(UnmapTest, CutsNoArea) {
  ASSERT_THAT(MapWindow(0, 4), Succeeds());
  EXPECT_THAT(UnmapWindow(0, 2), FailsWith(ENOENT));
  EXPECT_THAT(UnmapWindow(2, 8), FailsWith(ENOENT));
  EXPECT_THAT(UnmapWindow(1, 2), FailsWith(ENOENT));
  EXPECT_THAT(MapWindow(3, 1), FailsWith(EEXIST));
}

TEST_F(UnmapTest, HasTakenWhatLiesBeforeAnAreaThatItWouldCut) {
  ASSERT_THAT(MapWindow(0, 1), Succeeds());
  ASSERT_THAT(MapWindow(2, 4), Succeeds());
  EXPECT_THAT(UnmapWindow(0, 3), FailsWith(ENOENT));
  EXPECT_THAT(MapWindow(0, 1), Succeeds());
  EXPECT_THAT(MapWindow(5, 1), FailsWith(EEXIST));
}

TEST_F(UnmapTest, RefusesAnEmptyRange) { EXPECT_THAT(UnmapWindow(0, 0), FailsWith(EINVAL)); }

TEST_F(UnmapTest, RefusesARangeThatOverflows) {
  EXPECT_EQ(Unmap(context_, ioas_, kWindowIova, UINT64_MAX).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(UnmapTest, TakesEverything) {
  ASSERT_THAT(MapWindow(0, 1), Succeeds());
  EXPECT_THAT(Unmap(context_, ioas_, 0, UINT64_MAX), Succeeds());
  EXPECT_THAT(Unmap(context_, ioas_, 0, UINT64_MAX), Succeeds());
  EXPECT_THAT(Map(context_, ioas_, memory_.fd(), kMemoryIova, kPage), Succeeds());
}

TEST_F(UnmapTest, NeedsAnAddressSpaceThatExists) {
  EXPECT_THAT(Unmap(context_, IoasId(1000), kWindowIova, kPage), FailsWith(ENOENT));
}

TEST_F(UnmapTest, OfADestroyedAddressSpaceIsNotNeeded) {
  const IoasId other = NewIoas(context_);
  ASSERT_THAT(Map(context_, other, dma_buf_, kWindowIova, kPage), Succeeds());
  EXPECT_THAT(kernel().DestroyIoas(context_, other), Succeeds());
}

}  // namespace
}  // namespace p2pd::contract
