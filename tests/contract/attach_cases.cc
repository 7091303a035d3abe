// Attaching: which address space a device's DMA goes through.
#include <fcntl.h>

#include <cerrno>

#include "tests/contract/fixture.h"

namespace p2pd::contract {
namespace {

constexpr uint64_t kMsiWindow = 0xfee00000;  // x86's

class AttachTest : public DmaTest {};

TEST_F(AttachTest, NeedsAnAddressSpaceThatExists) {
  EXPECT_THAT(kernel().AttachDevice(engine_, IoasId(1000)), FailsWith(ENOENT));
  EXPECT_THAT(kernel().DestroyIoas(context_, IoasId(1000)), FailsWith(ENOENT));
  EXPECT_THAT(kernel().GetIovaLayout(context_, IoasId(1000)), FailsWith(ENOENT));
}

TEST_F(AttachTest, RepeatedChangesNothing) {
  EXPECT_THAT(kernel().AttachDevice(engine_, ioas_), Succeeds());
  memory_.Write(0, Pattern(1));
  EXPECT_EQ(Fetch(kMemoryIova), Pattern(1, kChunk));
}

TEST_F(AttachTest, ToAnotherAddressSpaceMovesTheDevice) {
  const IoasId other = NewIoas(context_);
  const Memory second;
  ASSERT_THAT(Map(context_, other, second.fd(), kMemoryIova, 16 * kPage), Succeeds());
  ASSERT_THAT(kernel().AttachDevice(engine_, other), Succeeds());
  second.Write(0, Pattern(2));
  Load(kMemoryIova);
  Store(kMemoryIova + kPage);
  EXPECT_EQ(second.Read(kPage, kChunk), Pattern(2, kChunk));
  EXPECT_EQ(memory_.Read(kPage, kChunk), Bytes(kChunk, 0));
  EXPECT_THAT(kernel().DestroyIoas(context_, ioas_), Succeeds());
}

TEST_F(AttachTest, DetachedADeviceReachesNothing) {
  memory_.Write(0, Pattern(3));
  Load(kMemoryIova);
  ASSERT_THAT(kernel().DetachDevice(engine_), Succeeds());
  Store(kMemoryIova + kPage);
  EXPECT_EQ(memory_.Read(kPage, kChunk), Bytes(kChunk, 0));
  ASSERT_THAT(kernel().AttachDevice(engine_, ioas_), Succeeds());
  EXPECT_EQ(Fetch(kMemoryIova), Pattern(3, kChunk));
}

TEST_F(AttachTest, DetachSucceedsWhereNothingIsAttached) {
  ASSERT_THAT(kernel().DetachDevice(engine_), Succeeds());
  EXPECT_THAT(kernel().DetachDevice(engine_), Succeeds());
}

TEST_F(AttachTest, KeepsTheAddressSpaceFromBeingDestroyed) {
  EXPECT_THAT(kernel().DestroyIoas(context_, ioas_), FailsWith(EBUSY));
  ASSERT_THAT(kernel().DetachDevice(engine_), Succeeds());
  EXPECT_THAT(kernel().DestroyIoas(context_, ioas_), Succeeds());
  EXPECT_THAT(kernel().DestroyIoas(context_, ioas_), FailsWith(ENOENT));
}

TEST_F(AttachTest, ReservesTheInterruptWindow) {
  const IovaLayout layout = *kernel().GetIovaLayout(context_, ioas_);
  EXPECT_EQ(layout.alignment, kPage);
  ASSERT_FALSE(layout.usable.empty());
  uint64_t next = 0;
  for (const Range& range : layout.usable) {
    EXPECT_TRUE(range.Valid());
    EXPECT_GE(range.start, next);
    EXPECT_FALSE(range.Overlaps({.start = kMsiWindow, .length = 0x100000})) << range.ToString();
    next = range.last();
  }
  EXPECT_THAT(Map(context_, ioas_, memory_.fd(), kMsiWindow, kPage), FailsWith(EINVAL));
}

TEST_F(AttachTest, ReservesWhatTheIommuCannotAddress) {
  const IovaLayout layout = *kernel().GetIovaLayout(context_, ioas_);
  const Range& highest = layout.usable.back();
  ASSERT_LT(highest.last(), UINT64_MAX - kPage);
  EXPECT_THAT(Map(context_, ioas_, memory_.fd(), highest.last() + 1, kPage), FailsWith(EINVAL));
  EXPECT_THAT(Map(context_, ioas_, memory_.fd(), highest.last() + 1 - kPage, kPage), Succeeds());
}

TEST_F(AttachTest, BeforeItNothingIsReserved) {
  const IoasId other = NewIoas(context_);
  const IovaLayout layout = *kernel().GetIovaLayout(context_, other);
  EXPECT_EQ(layout.alignment, 1u);
  ASSERT_EQ(layout.usable.size(), 1u);
  EXPECT_EQ(layout.usable[0].start, 0u);
  EXPECT_THAT(Map(context_, other, memory_.fd(), kMsiWindow, kPage), Succeeds());
}

TEST_F(AttachTest, RefusesAnAddressSpaceWithAnAreaWhereTheDeviceReserves) {
  const IoasId other = NewIoas(context_);
  ASSERT_THAT(Map(context_, other, memory_.fd(), kMsiWindow, kPage), Succeeds());
  EXPECT_THAT(kernel().AttachDevice(engine_, other), FailsWith(EADDRINUSE));
  // It is where it was.
  memory_.Write(0, Pattern(4));
  EXPECT_EQ(Fetch(kMemoryIova), Pattern(4, kChunk));
  ASSERT_THAT(Unmap(context_, other, kMsiWindow, kPage), Succeeds());
  EXPECT_THAT(kernel().AttachDevice(engine_, other), Succeeds());
}

TEST_F(AttachTest, RefusesAnAddressSpaceWithAMisalignedArea) {
  const IoasId other = NewIoas(context_);
  ASSERT_THAT(Map(context_, other, memory_.fd(), kMemoryIova + 1, 100), Succeeds());
  ASSERT_THAT(kernel().DetachDevice(engine_), Succeeds());
  EXPECT_THAT(kernel().AttachDevice(engine_, other), FailsWith(EADDRINUSE));
}

TEST_F(AttachTest, RefusesAnAddressSpaceWithAFileThatIsNoMemory) {
  const IoasId other = NewIoas(context_);
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  ASSERT_THAT(Map(context_, other, null, kMemoryIova, kPage), Succeeds());
  ASSERT_THAT(kernel().DetachDevice(engine_), Succeeds());
  EXPECT_THAT(kernel().AttachDevice(engine_, other), FailsWith(EINVAL));
  ASSERT_THAT(Unmap(context_, other, kMemoryIova, kPage), Succeeds());
  EXPECT_THAT(kernel().AttachDevice(engine_, other), Succeeds());
}

TEST_F(AttachTest, SeveralDevicesShareAnAddressSpace) {
  const UniqueFd nvme = OpenAttached(Role::kSecondNvme, context_, ioas_);
  ASSERT_THAT(kernel().DetachDevice(engine_), Succeeds());
  EXPECT_THAT(kernel().DestroyIoas(context_, ioas_), FailsWith(EBUSY));
  ASSERT_THAT(kernel().DetachDevice(nvme), Succeeds());
  EXPECT_THAT(kernel().DestroyIoas(context_, ioas_), Succeeds());
}

}  // namespace
}  // namespace p2pd::contract
