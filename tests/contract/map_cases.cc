// Mapping files into an address space: what is refused, and what a device then finds.
#include <fcntl.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "tests/contract/fixture.h"

namespace p2pd::contract {
namespace {

class MapTest : public DmaTest {
 protected:
  void SetUp() override {
    DmaTest::SetUp();
    exporter_ = OpenBound(Role::kPlainMemory, context_);
    absl::StatusOr<UniqueFd> dma_buf = Export(exporter_, 4 * kPage);
    ASSERT_THAT(dma_buf, Succeeds());
    dma_buf_ = *std::move(dma_buf);
  }

  UniqueFd exporter_;
  UniqueFd dma_buf_;
};

TEST_F(MapTest, PutsAWindowBeforeADevice) {
  WriteBar(exporter_, kMemoryBar, 0, Pattern(1));
  ASSERT_THAT(Map(context_, ioas_, dma_buf_, kWindowIova, 4 * kPage), Succeeds());
  EXPECT_EQ(Fetch(kWindowIova), Pattern(1, kChunk));
  Put(kWindowIova + kPage, Pattern(2, kChunk));
  EXPECT_EQ(ReadBar(exporter_, kMemoryBar, kPage, kChunk), Pattern(2, kChunk));
}

TEST_F(MapTest, TakesASliceOfADmaBuf) {
  WriteBar(exporter_, kMemoryBar, 2 * kPage, Pattern(3));
  WriteBar(exporter_, kMemoryBar, 3 * kPage, Pattern(33));
  ASSERT_THAT(Map(context_, ioas_, dma_buf_, kWindowIova, kPage, 2 * kPage), Succeeds());
  EXPECT_EQ(Fetch(kWindowIova), Pattern(3, kChunk));
  EXPECT_NE(Fetch(kWindowIova + kPage), Pattern(33, kChunk));
}

TEST_F(MapTest, FollowsTheRangeThatWasExported) {
  const absl::StatusOr<UniqueFd> part = Export(exporter_, 2 * kPage, 8 * kPage);
  ASSERT_THAT(part, Succeeds());
  WriteBar(exporter_, kMemoryBar, 9 * kPage, Pattern(4));
  ASSERT_THAT(Map(context_, ioas_, *part, kWindowIova, kPage, kPage), Succeeds());
  EXPECT_EQ(Fetch(kWindowIova), Pattern(4, kChunk));
}

TEST_F(MapTest, TakesOneWindowAtSeveralAddresses) {
  WriteBar(exporter_, kMemoryBar, 0, Pattern(5));
  ASSERT_THAT(Map(context_, ioas_, dma_buf_, kWindowIova, kPage), Succeeds());
  ASSERT_THAT(Map(context_, ioas_, dma_buf_, kWindowIova + 8 * kPage, kPage), Succeeds());
  EXPECT_EQ(Fetch(kWindowIova + 8 * kPage), Pattern(5, kChunk));
  ASSERT_THAT(Unmap(context_, ioas_, kWindowIova, kPage), Succeeds());
  EXPECT_EQ(Fetch(kWindowIova + 8 * kPage), Pattern(5, kChunk));
}

TEST_F(MapTest, TakesAWindowOfADeviceInAnotherContext) {
  exporter_.Reset();
  UniqueFd other = NewContext();
  exporter_ = OpenBound(Role::kPlainMemory, other);
  const absl::StatusOr<UniqueFd> window = Export(exporter_, kPage);
  ASSERT_THAT(window, Succeeds());
  other.Reset();
  WriteBar(exporter_, kMemoryBar, 0, Pattern(13));
  ASSERT_THAT(Map(context_, ioas_, *window, kWindowIova, kPage), Succeeds());
  EXPECT_EQ(Fetch(kWindowIova), Pattern(13, kChunk));
  exporter_.Reset();
  EXPECT_NE(Fetch(kWindowIova), Pattern(13, kChunk));
}

TEST_F(MapTest, LooksAtTheAddressSpaceThenTheFileThenTheAddress) {
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  ASSERT_THAT(SetCommandBits(exporter_, kMemoryDecode, false), Succeeds());
  EXPECT_THAT(Map(context_, IoasId(1000), FdRef(9999), kWindowIova, 0), FailsWith(ENOENT));
  EXPECT_THAT(Map(context_, ioas_, FdRef(9999), kMemoryIova, 0), FailsWith(EINVAL));
  EXPECT_THAT(Map(context_, ioas_, FdRef(9999), kMemoryIova + 1, kPage), FailsWith(EBADF));
  EXPECT_THAT(Map(context_, ioas_, dma_buf_, kMemoryIova + 1, 5 * kPage), FailsWith(EINVAL));
  EXPECT_THAT(Map(context_, ioas_, dma_buf_, kMemoryIova + 1, kPage), FailsWith(ENODEV));
  EXPECT_THAT(Map(context_, ioas_, null, kMemoryIova, kPage), FailsWith(EEXIST));
}

TEST_F(MapTest, RefusesWhatIsEmptyOrOutsideTheDmaBuf) {
  EXPECT_THAT(Map(context_, ioas_, dma_buf_, kWindowIova, 0), FailsWith(EINVAL));
  EXPECT_THAT(Map(context_, ioas_, dma_buf_, kWindowIova, 5 * kPage), FailsWith(EINVAL));
  EXPECT_THAT(Map(context_, ioas_, dma_buf_, kWindowIova, kPage, 4 * kPage), FailsWith(EINVAL));
  EXPECT_THAT(Map(context_, ioas_, dma_buf_, kWindowIova, 2 * kPage, 3 * kPage), FailsWith(EINVAL));
}

TEST_F(MapTest, RefusesWhatIsEmptyOrOutsideTheMemory) {
  EXPECT_THAT(Map(context_, ioas_, memory_.fd(), kWindowIova, 0), FailsWith(EINVAL));
  EXPECT_THAT(Map(context_, ioas_, memory_.fd(), kWindowIova, 17 * kPage), FailsWith(EINVAL));
  EXPECT_THAT(Map(context_, ioas_, memory_.fd(), kWindowIova, kPage, 16 * kPage), FailsWith(EINVAL));
}

TEST_F(MapTest, RefusesRangesThatOverflow) {
  constexpr uint64_t kLastPage = UINT64_MAX - kPage + 1;
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(Map(context_, ioas_, dma_buf_, kLastPage, 2 * kPage).code(), kInvalid);
  EXPECT_EQ(Map(context_, ioas_, dma_buf_, kWindowIova, UINT64_MAX).code(), kInvalid);
  EXPECT_EQ(Map(context_, ioas_, dma_buf_, kWindowIova, 2 * kPage, kLastPage).code(), kInvalid);
  EXPECT_EQ(Map(context_, ioas_, memory_.fd(), kLastPage, 2 * kPage).code(), kInvalid);
}

TEST_F(MapTest, RefusesWhatIsNotAligned) {
  EXPECT_THAT(Map(context_, ioas_, dma_buf_, kWindowIova + 512, kPage), FailsWith(EINVAL));
  EXPECT_THAT(Map(context_, ioas_, dma_buf_, kWindowIova, 512), FailsWith(EINVAL));
  EXPECT_THAT(Map(context_, ioas_, dma_buf_, kWindowIova, kPage, 512), FailsWith(EINVAL));
  EXPECT_THAT(Map(context_, ioas_, memory_.fd(), kWindowIova + 512, kPage), FailsWith(EINVAL));
  EXPECT_THAT(Map(context_, ioas_, memory_.fd(), kWindowIova, kPage, 512), FailsWith(EINVAL));
}

TEST_F(MapTest, RefusesAnOverlap) {
  ASSERT_THAT(Map(context_, ioas_, dma_buf_, kWindowIova, 2 * kPage), Succeeds());
  EXPECT_THAT(Map(context_, ioas_, dma_buf_, kWindowIova, 2 * kPage), FailsWith(EEXIST));
  EXPECT_THAT(Map(context_, ioas_, dma_buf_, kWindowIova + kPage, 2 * kPage), FailsWith(EEXIST));
  EXPECT_THAT(Map(context_, ioas_, memory_.fd(), kWindowIova - kPage, 4 * kPage), FailsWith(EEXIST));
  EXPECT_THAT(Map(context_, ioas_, dma_buf_, kWindowIova + 2 * kPage, kPage), Succeeds());
}

TEST_F(MapTest, RefusesWhatIsNoMemory) {
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  EXPECT_THAT(Map(context_, ioas_, null, kWindowIova, kPage), FailsWith(EINVAL));
  EXPECT_THAT(Map(context_, ioas_, exporter_, kWindowIova, kPage), FailsWith(EINVAL));
  EXPECT_THAT(Map(context_, ioas_, context_, kWindowIova, kPage), FailsWith(EINVAL));
  EXPECT_THAT(Map(context_, ioas_, FdRef(9999), kWindowIova, kPage), FailsWith(EBADF));
}

TEST_F(MapTest, NeedsAnAddressSpaceOfThisContext) {
  EXPECT_THAT(Map(context_, IoasId(1000), dma_buf_, kWindowIova, kPage), FailsWith(ENOENT));
  EXPECT_THAT(Map(memory_.fd(), ioas_, dma_buf_, kWindowIova, kPage), FailsWith(ENOTTY));
  EXPECT_THAT(Map(FdRef(9999), ioas_, dma_buf_, kWindowIova, kPage), FailsWith(EBADF));
}

TEST_F(MapTest, ForReadingOnlyStopsWrites) {
  WriteBar(exporter_, kMemoryBar, 0, Pattern(6));
  ASSERT_THAT(Map(context_, ioas_, dma_buf_, kWindowIova, kPage, 0, Access::kRead), Succeeds());
  Put(kWindowIova, Pattern(7, kChunk));
  EXPECT_EQ(ReadBar(exporter_, kMemoryBar, 0), Pattern(6));
  EXPECT_EQ(Fetch(kWindowIova), Pattern(6, kChunk));
}

TEST_F(MapTest, ForWritingLetsWritesThrough) {
  ASSERT_THAT(Map(context_, ioas_, dma_buf_, kWindowIova, kPage, 0, Access::kWrite), Succeeds());
  Put(kWindowIova, Pattern(8, kChunk));
  EXPECT_EQ(ReadBar(exporter_, kMemoryBar, 0, kChunk), Pattern(8, kChunk));
}

TEST_F(MapTest, OutlivesTheDescriptorOfTheDmaBuf) {
  WriteBar(exporter_, kMemoryBar, 0, Pattern(9));
  ASSERT_THAT(Map(context_, ioas_, dma_buf_, kWindowIova, kPage), Succeeds());
  dma_buf_.Reset();
  EXPECT_EQ(Fetch(kWindowIova), Pattern(9, kChunk));
}

TEST_F(MapTest, OutlivesTheDescriptorOfTheMemory) {
  const Memory memory;
  UniqueFd copy = *Duplicate(memory.fd());
  ASSERT_THAT(Map(context_, ioas_, copy, kWindowIova, kPage), Succeeds());
  copy.Reset();
  Put(kWindowIova, Pattern(10, kChunk));
  EXPECT_EQ(memory.Read(0, kChunk), Pattern(10, kChunk));
}

TEST_F(MapTest, DoesNotLookAtTheModeOfTheMemory) {
  // Which is why p2pd does.
  const Memory memory;
  const UniqueFd read_only(open(absl::StrCat("/proc/self/fd/", memory.fd().get()).c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(read_only.valid());
  ASSERT_THAT(Map(context_, ioas_, read_only, kWindowIova, kPage), Succeeds());
  Put(kWindowIova, Pattern(11, kChunk));
  EXPECT_EQ(memory.Read(0, kChunk), Pattern(11, kChunk));
}

TEST_F(MapTest, WorksBeforeADeviceIsAttached) {
  const IoasId other = NewIoas(context_);
  WriteBar(exporter_, kMemoryBar, 0, Pattern(12));
  ASSERT_THAT(Map(context_, other, dma_buf_, kWindowIova, kPage), Succeeds());
  ASSERT_THAT(Map(context_, other, memory_.fd(), kMemoryIova, 16 * kPage), Succeeds());
  ASSERT_THAT(kernel().AttachDevice(engine_, other), Succeeds());
  EXPECT_EQ(Fetch(kWindowIova), Pattern(12, kChunk));
}

}  // namespace
}  // namespace p2pd::contract
