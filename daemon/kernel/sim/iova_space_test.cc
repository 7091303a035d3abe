#include "daemon/kernel/sim/iova_space.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "gtest/gtest.h"

namespace p2pd::sim {
namespace {

constexpr uint64_t kPage = kPageSize;

class IovaSpaceTest : public testing::Test {
 protected:
  IovaSpaceTest() {
    memory_->fd = UniqueFd(memfd_create("memory", MFD_CLOEXEC));
    memory_->is_memory = true;
    EXPECT_EQ(ftruncate(memory_->fd.get(), 64 * kPage), 0);
  }

  Area At(uint64_t start, uint64_t length, uint64_t offset = 0) {
    return {.iova = {.start = start, .length = length}, .offset = offset, .file = memory_};
  }

  const Device* Name(int n) { return reinterpret_cast<const Device*>(&names_[n]); }

  std::shared_ptr<ClientFile> memory_ = std::make_shared<ClientFile>();
  IovaSpace space_;
  char names_[2] = {};
};

TEST_F(IovaSpaceTest, FindsTheAreaOfEveryByteOfIt) {
  ASSERT_EQ(space_.Map(At(2 * kPage, 2 * kPage)), 0);
  EXPECT_EQ(space_.At(2 * kPage - 1), nullptr);
  EXPECT_NE(space_.At(2 * kPage), nullptr);
  EXPECT_NE(space_.At(4 * kPage - 1), nullptr);
  EXPECT_EQ(space_.At(4 * kPage), nullptr);
}

TEST_F(IovaSpaceTest, RefusesAnyOverlap) {
  ASSERT_EQ(space_.Map(At(4 * kPage, 4 * kPage)), 0);
  EXPECT_EQ(space_.Map(At(7 * kPage, kPage)), EEXIST);
  EXPECT_EQ(space_.Map(At(0, 5 * kPage)), EEXIST);
  EXPECT_EQ(space_.Map(At(0, 16 * kPage)), EEXIST);
  EXPECT_EQ(space_.Map(At(8 * kPage, kPage)), 0);
  EXPECT_EQ(space_.Map(At(3 * kPage, kPage)), 0);
}

TEST_F(IovaSpaceTest, AsksForAlignmentOnceADeviceIsAttached) {
  ASSERT_EQ(space_.Map(At(1, 100)), 0);
  EXPECT_EQ(space_.Attach(Name(0)), EADDRINUSE);
  ASSERT_EQ(space_.Unmap({.start = 0, .length = kPage}), 0);
  ASSERT_EQ(space_.Attach(Name(0)), 0);
  EXPECT_EQ(space_.Map(At(1, kPage)), EINVAL);
  EXPECT_EQ(space_.Map(At(0, 100)), EINVAL);
  EXPECT_EQ(space_.Map(At(0, kPage, 100)), EINVAL);
  space_.Detach(Name(0));
  EXPECT_EQ(space_.Map(At(1, 100)), 0);
}

TEST_F(IovaSpaceTest, RefusesReservedAddressesOnceADeviceIsAttached) {
  ASSERT_EQ(space_.Map(At(kMsiWindow.start, kPage)), 0);
  EXPECT_EQ(space_.Attach(Name(0)), EADDRINUSE);
  ASSERT_EQ(space_.Unmap(kMsiWindow), 0);
  ASSERT_EQ(space_.Map(At(kApertureEnd, kPage)), 0);
  EXPECT_EQ(space_.Attach(Name(0)), EADDRINUSE);
  ASSERT_EQ(space_.Unmap({.start = kApertureEnd, .length = kPage}), 0);
  ASSERT_EQ(space_.Attach(Name(0)), 0);
  EXPECT_EQ(space_.Map(At(kMsiWindow.start, kPage)), EINVAL);
  EXPECT_EQ(space_.Map(At(kApertureEnd - kPage, 2 * kPage)), EINVAL);
  EXPECT_EQ(space_.Map(At(kApertureEnd - kPage, kPage)), 0);
}

TEST_F(IovaSpaceTest, StaysReservedUntilTheLastDeviceLeaves) {
  ASSERT_EQ(space_.Attach(Name(0)), 0);
  ASSERT_EQ(space_.Attach(Name(1)), 0);
  space_.Detach(Name(0));
  EXPECT_EQ(space_.Map(At(kMsiWindow.start, kPage)), EINVAL);
  EXPECT_EQ(space_.Usable().size(), 2u);
  space_.Detach(Name(1));
  EXPECT_EQ(space_.Map(At(kMsiWindow.start, kPage)), 0);
  EXPECT_EQ(space_.Usable().size(), 1u);
}

TEST_F(IovaSpaceTest, RefusesMoreThanTheFileHoldsOnceADeviceIsAttached) {
  ASSERT_EQ(space_.Map(At(0, 2 * kPage, 63 * kPage)), 0);
  EXPECT_EQ(space_.Attach(Name(0)), EINVAL);
  ASSERT_EQ(space_.Unmap({.start = 0, .length = 2 * kPage}), 0);
  ASSERT_EQ(space_.Attach(Name(0)), 0);
  EXPECT_EQ(space_.Map(At(0, 2 * kPage, 63 * kPage)), EINVAL);
  EXPECT_EQ(space_.Map(At(0, kPage, 63 * kPage)), 0);
}

TEST_F(IovaSpaceTest, UnmapsEveryAreaInsideTheRange) {
  ASSERT_EQ(space_.Map(At(kPage, kPage)), 0);
  ASSERT_EQ(space_.Map(At(4 * kPage, kPage)), 0);
  EXPECT_EQ(space_.Unmap({.start = 0, .length = 16 * kPage}), 0);
  EXPECT_TRUE(space_.areas().empty());
  EXPECT_EQ(space_.Unmap({.start = 0, .length = 16 * kPage}), ENOENT);
}

TEST_F(IovaSpaceTest, AnAreaAcrossTheEdgeStaysAndThoseBeforeItAreGone) {
  ASSERT_EQ(space_.Map(At(kPage, kPage)), 0);
  ASSERT_EQ(space_.Map(At(4 * kPage, 4 * kPage)), 0);
  EXPECT_EQ(space_.Unmap({.start = 0, .length = 5 * kPage}), ENOENT);
  EXPECT_EQ(space_.At(kPage), nullptr);
  EXPECT_NE(space_.At(4 * kPage), nullptr);
  EXPECT_EQ(space_.Unmap({.start = 5 * kPage, .length = kPage}), ENOENT);
}

TEST_F(IovaSpaceTest, UnmappingEverythingSucceedsOnNothing) {
  EXPECT_EQ(space_.Unmap({.start = 0, .length = UINT64_MAX}), 0);
  EXPECT_EQ(space_.Unmap({.start = 1, .length = UINT64_MAX}), EOVERFLOW);
  EXPECT_EQ(space_.Unmap({.start = kPage, .length = UINT64_MAX - 1}), EOVERFLOW);
  EXPECT_EQ(space_.Unmap({.start = 0, .length = 0}), EINVAL);
}

}  // namespace
}  // namespace p2pd::sim
