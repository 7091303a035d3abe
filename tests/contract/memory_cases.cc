// What the system says about files that clients offer as memory.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "tests/contract/fixture.h"

namespace p2pd::contract {
namespace {

class MemoryTest : public ContractTest {
 protected:
  MemoryInfo Inspect(FdRef file) {
    const absl::StatusOr<MemoryInfo> info = kernel().InspectMemory(file);
    EXPECT_THAT(info, Succeeds());
    return info.value_or(MemoryInfo());
  }
  static UniqueFd Reopen(FdRef fd, int flags) {
    return UniqueFd(open(absl::StrCat("/proc/self/fd/", fd.get()).c_str(), flags | O_CLOEXEC));
  }
};

TEST_F(MemoryTest, AMemfdIsMemory) {
  const Memory memory(16 * kPage);
  const MemoryInfo info = Inspect(memory.fd());
  EXPECT_TRUE(info.is_memfd);
  EXPECT_FALSE(info.is_hugetlb);
  EXPECT_EQ(info.size, 16 * kPage);
  EXPECT_TRUE(info.writable);
  EXPECT_FALSE(info.sealed_shrink);
  EXPECT_FALSE(info.sealed_write);
}

TEST_F(MemoryTest, IsAllocatedAsFarAsItWasTouched) {
  const Memory memory(16 * kPage);
  EXPECT_EQ(Inspect(memory.fd()).allocated, 0u);
  memory.Write(0, Pattern(1));
  EXPECT_GE(Inspect(memory.fd()).allocated, kPage);
  ASSERT_EQ(fallocate(memory.fd().get(), 0, 0, 16 * kPage), 0);
  EXPECT_GE(Inspect(memory.fd()).allocated, 16 * kPage);
}

TEST_F(MemoryTest, ShowsItsSeals) {
  const Memory memory;
  ASSERT_EQ(fcntl(memory.fd().get(), F_ADD_SEALS, F_SEAL_SHRINK), 0);
  EXPECT_TRUE(Inspect(memory.fd()).sealed_shrink);
  EXPECT_FALSE(Inspect(memory.fd()).sealed_write);
  ASSERT_EQ(fcntl(memory.fd().get(), F_ADD_SEALS, F_SEAL_WRITE), 0);
  EXPECT_TRUE(Inspect(memory.fd()).sealed_write);
  const Memory future;
  ASSERT_EQ(fcntl(future.fd().get(), F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0);
  EXPECT_TRUE(Inspect(future.fd()).sealed_write);
}

TEST_F(MemoryTest, ShowsHowThisDescriptorWasOpened) {
  const Memory memory;
  EXPECT_FALSE(Inspect(Reopen(memory.fd(), O_RDONLY)).writable);
  EXPECT_TRUE(Inspect(Reopen(memory.fd(), O_RDWR)).writable);
}

TEST_F(MemoryTest, NothingElseIsMemory) {
  const UniqueFd context = NewContext();
  const UniqueFd device = OpenBound(Role::kPlainMemory, context);
  const absl::StatusOr<UniqueFd> dma_buf = Export(device, kPage);
  ASSERT_THAT(dma_buf, Succeeds());
  EXPECT_FALSE(Inspect(UniqueFd(open("/dev/null", O_RDWR | O_CLOEXEC))).is_memfd);
  EXPECT_FALSE(Inspect(UniqueFd(open("/proc/self/stat", O_RDONLY | O_CLOEXEC))).is_memfd);
  EXPECT_FALSE(Inspect(context).is_memfd);
  EXPECT_FALSE(Inspect(device).is_memfd);
  EXPECT_FALSE(Inspect(*dma_buf).is_memfd);
}

TEST_F(MemoryTest, WhatIsNotOpenIsAnError) { EXPECT_THAT(kernel().InspectMemory(FdRef(9999)), FailsWith(EBADF)); }

}  // namespace
}  // namespace p2pd::contract
