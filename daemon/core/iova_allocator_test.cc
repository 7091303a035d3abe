#include "daemon/core/iova_allocator.h"

#include "daemon/base/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::ElementsAre;

constexpr uint64_t kPage = 4096;

IovaAllocator X86() { return IovaAllocator({{0, 0xfee00000}, {0xfef00000, (1ull << 48) - 0xfef00000}}, kPage); }

TEST(IovaAllocatorTest, LeavesLowAddressesToDevicesThatNeedThem) {
  IovaAllocator iovas = X86();
  EXPECT_GE(iovas.Reserve(kPage, {}, 0)->start, 1ull << 32);
  const auto low = iovas.Reserve(kPage, {.iova_max = (1 << 28) - 1}, 0);
  ASSERT_TRUE(low.ok());
  EXPECT_LT(low->last(), 1u << 28);
  EXPECT_NE(low->start, 0u);
}

TEST(IovaAllocatorTest, LongMappingsCanUseLargePages) {
  IovaAllocator iovas = X86();
  ASSERT_TRUE(iovas.Reserve(kPage, {}, 0).ok());
  EXPECT_EQ(iovas.Reserve(4 << 20, {}, 0x3000)->start % (2 << 20), 0x3000u);
}

TEST(IovaAllocatorTest, HonoursAnAlignmentThatIsAskedFor) {
  IovaAllocator iovas = X86();
  ASSERT_TRUE(iovas.Reserve(kPage, {}, 0).ok());
  EXPECT_EQ(iovas.Reserve(kPage, {.alignment = 1 << 30}, 0)->start % (1 << 30), 0u);
  EXPECT_EQ(iovas.Reserve(kPage, {.alignment = 3 * kPage}, 0).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(IovaAllocatorTest, RefusesReservedIovas) {
  IovaAllocator iovas = X86();
  const auto msi = iovas.Reserve(kPage, {.iova = 0xfee00000}, 0);
  EXPECT_EQ(msi.status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(GetErrorInfo(msi.status()).reason, Reason::kIovaUnusable);
  EXPECT_FALSE(iovas.Reserve(2 * kPage, {.iova = 0xfee00000 - kPage}, 0).ok());
  EXPECT_FALSE(iovas.Reserve(kPage, {.iova = 1ull << 48}, 0).ok());
}

TEST(IovaAllocatorTest, RefusesOverlapsUnalignedAndWrapping) {
  IovaAllocator iovas = X86();
  ASSERT_TRUE(iovas.Reserve(4 * kPage, {.iova = 0x100000}, 0).ok());
  EXPECT_EQ(iovas.Reserve(kPage, {.iova = 0x103000}, 0).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(iovas.Reserve(8 * kPage, {.iova = 0xfc000}, 0).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_FALSE(iovas.Reserve(kPage, {.iova = 0x200800}, 0).ok());
  EXPECT_FALSE(iovas.Reserve(0, {.iova = 0x200000}, 0).ok());
  EXPECT_FALSE(iovas.Reserve(UINT64_MAX, {}, 0).ok());
  EXPECT_FALSE(iovas.Reserve(UINT64_MAX - kPage + 1, {.iova = 2 * kPage}, 0).ok());
}

TEST(IovaAllocatorTest, AReleasedIovaCanBeTakenAgain) {
  IovaAllocator iovas({{kPage * 16, kPage}}, kPage);
  const auto first = iovas.Reserve(kPage, {}, 0);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(iovas.Reserve(kPage, {}, 0).status().code(), absl::StatusCode::kOutOfRange);
  iovas.Release(*first);
  EXPECT_EQ(iovas.Reserve(kPage, {}, 0)->start, first->start);
}

TEST(SubtractTest, CutsBridgeWindowsOutOfWhatIsUsable) {
  EXPECT_THAT(Subtract({{0, 0x10000}}, {{0x2000, 0x1000}, {0xf000, 0x5000}, {0, 0x1000}}),
              ElementsAre(Range{0x1000, 0x1000}, Range{0x3000, 0xc000}));
  EXPECT_THAT(Subtract({{0x1000, 0x1000}}, {{0, 0x10000}}), ElementsAre());
  EXPECT_THAT(Subtract({{0, 0}}, {}), ElementsAre(Range{0, 0}));
}

}  // namespace
}  // namespace p2pd
