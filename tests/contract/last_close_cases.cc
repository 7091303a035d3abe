// What ends with the last reference to a device, a context or a dma-buf, and what does not.
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "tests/contract/fixture.h"

namespace p2pd::contract {
namespace {

// A window of plain memory mapped at kWindowIova, with Pattern(1) in it.
class LastCloseTest : public DmaTest {
 protected:
  void SetUp() override {
    DmaTest::SetUp();
    exporter_ = OpenBound(Role::kPlainMemory, context_);
    absl::StatusOr<UniqueFd> dma_buf = Export(exporter_, kPage);
    ASSERT_THAT(dma_buf, Succeeds());
    dma_buf_ = *std::move(dma_buf);
    ASSERT_THAT(MapWindow(), Succeeds());
    WriteBar(exporter_, kMemoryBar, 0, Pattern(1));
    ASSERT_EQ(Fetch(kWindowIova), Pattern(1, kChunk));
  }

  absl::Status MapWindow() { return Map(context_, ioas_, dma_buf_, kWindowIova, kPage); }

  UniqueFd exporter_;
  UniqueFd dma_buf_;
};

TEST_F(LastCloseTest, OfADeviceKillsItsMappings) {
  exporter_.Reset();
  EXPECT_NE(Fetch(kWindowIova), Pattern(1, kChunk));
  EXPECT_THAT(Unmap(context_, ioas_, kWindowIova, kPage), Succeeds());
  EXPECT_THAT(MapWindow(), FailsWith(ENODEV));
}

TEST_F(LastCloseTest, OfADeviceRevokesForEver) {
  exporter_.Reset();
  exporter_ = OpenBound(Role::kPlainMemory, context_);
  ASSERT_THAT(Unmap(context_, ioas_, kWindowIova, kPage), Succeeds());
  EXPECT_THAT(MapWindow(), FailsWith(ENODEV));
  const absl::StatusOr<UniqueFd> anew = Export(exporter_, kPage);
  ASSERT_THAT(anew, Succeeds());
  EXPECT_THAT(Map(context_, ioas_, *anew, kWindowIova, kPage), Succeeds());
}

TEST_F(LastCloseTest, IsNotWhileADuplicateIsOpen) {
  const UniqueFd copy = *Duplicate(exporter_);
  exporter_.Reset();
  EXPECT_EQ(Fetch(kWindowIova), Pattern(1, kChunk));
  EXPECT_THAT(kernel().BindDevice(Open(Role::kPlainMemory), context_), FailsWith(EINVAL));
}

TEST_F(LastCloseTest, IsNotWhileABarIsMapped) {
  const RegionInfo memory = *kernel().GetRegionInfo(exporter_, kMemoryBar);
  void* const map =
      mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, exporter_.get(), static_cast<off_t>(memory.offset));
  ASSERT_NE(map, MAP_FAILED);
  exporter_.Reset();
  EXPECT_EQ(Fetch(kWindowIova), Pattern(1, kChunk));
  munmap(map, kPage);
  EXPECT_NE(Fetch(kWindowIova), Pattern(1, kChunk));
}

TEST_F(LastCloseTest, IsNotWhileAMessageHoldsTheDescriptor) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
  UniqueFd sender(ends[0]);
  UniqueFd receiver(ends[1]);
  SendInto(sender.get(), exporter_);
  exporter_.Reset();
  EXPECT_EQ(Fetch(kWindowIova), Pattern(1, kChunk));
  sender.Reset();
  receiver.Reset();
  EXPECT_NE(Fetch(kWindowIova), Pattern(1, kChunk));
}

TEST_F(LastCloseTest, IsOfTheOpenThatWasBound) {
  // Another open of the device, which binds nothing, keeps nothing.
  const UniqueFd other = Open(Role::kPlainMemory);
  exporter_.Reset();
  EXPECT_NE(Fetch(kWindowIova), Pattern(1, kChunk));
  EXPECT_THAT(kernel().BindDevice(other, context_), Succeeds());
}

TEST_F(LastCloseTest, OfADeviceDetachesIt) {
  engine_.Reset();
  EXPECT_THAT(kernel().DestroyIoas(context_, ioas_), Succeeds());
}

TEST_F(LastCloseTest, OfADeviceFreesItForAnotherContext) {
  engine_.Reset();
  const UniqueFd other = NewContext();
  const UniqueFd device = OpenBound(Role::kDmaEngine, other);
  EXPECT_THAT(kernel().AttachDevice(device, NewIoas(other)), Succeeds());
}

TEST_F(LastCloseTest, OfTheContextEndsNothingWhileADeviceIsBound) {
  context_.Reset();
  EXPECT_EQ(Fetch(kWindowIova), Pattern(1, kChunk));
  Put(kWindowIova, Pattern(2, kChunk));
  EXPECT_EQ(ReadBar(exporter_, kMemoryBar, 0, kChunk), Pattern(2, kChunk));
  EXPECT_THAT(kernel().AttachDevice(engine_, ioas_), Succeeds());
}

TEST_F(LastCloseTest, OfTheDmaBufEndsNothing) {
  dma_buf_.Reset();
  EXPECT_EQ(Fetch(kWindowIova), Pattern(1, kChunk));
}

TEST_F(LastCloseTest, OfTheDmaBufEndsNothingThoughOthersComeAndGo) {
  dma_buf_.Reset();
  for (int i = 0; i < 100; ++i) ASSERT_THAT(Export(exporter_, kPage), Succeeds());
  EXPECT_EQ(Fetch(kWindowIova), Pattern(1, kChunk));
  exporter_.Reset();
  EXPECT_NE(Fetch(kWindowIova), Pattern(1, kChunk));
}

TEST_F(LastCloseTest, OfAnImporterLeavesItsAddressSpace) {
  engine_.Reset();
  EXPECT_THAT(MapWindow(), FailsWith(EEXIST));
  engine_ = OpenAttached(Role::kDmaEngine, context_, ioas_);
  EXPECT_EQ(Fetch(kWindowIova), Pattern(1, kChunk));
}

}  // namespace
}  // namespace p2pd::contract
