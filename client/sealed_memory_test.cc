#include "client/sealed_memory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "daemon/base/unique_fd.h"
#include "gtest/gtest.h"

namespace p2p {
namespace {

TEST(SealedMemoryTest, IsAllocatedInFullAndRoundedUpToPages) {
  const auto memory = SealedMemory::Create("buffer", 5000);
  ASSERT_TRUE(memory.ok()) << memory.status();
  struct stat info = {};
  ASSERT_EQ(fstat(memory->fd(), &info), 0);
  EXPECT_EQ(info.st_size, 8192);
  EXPECT_GE(info.st_blocks * 512, 8192);
  EXPECT_EQ(memory->size(), 8192u);
}

TEST(SealedMemoryTest, CanNeitherShrinkNorGrow) {
  const auto memory = SealedMemory::Create("buffer", 8192);
  ASSERT_TRUE(memory.ok()) << memory.status();
  EXPECT_EQ(fcntl(memory->fd(), F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW);
  EXPECT_EQ(ftruncate(memory->fd(), 4096), -1);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(ftruncate(memory->fd(), 16384), -1);
  EXPECT_EQ(errno, EPERM);
}

TEST(SealedMemoryTest, WhatIsWrittenIsInTheFile) {
  const auto memory = SealedMemory::Create("buffer", 4096);
  ASSERT_TRUE(memory.ok()) << memory.status();
  strcpy(memory->data(), "hello");
  char read[6] = {};
  EXPECT_EQ(pread(memory->fd(), read, 5, 0), 5);
  EXPECT_STREQ(read, "hello");
}

// What the kernel would zero at the first touch it would take from under a device.
TEST(SealedMemoryTest, HasAllItsPagesBeforeTheyAreTouched) {
  const auto memory = SealedMemory::Create("buffer", 64 * 4096);
  ASSERT_TRUE(memory.ok()) << memory.status();
  const p2pd::UniqueFd pagemap(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  uint64_t pages[64] = {};
  const off_t at = static_cast<off_t>(reinterpret_cast<uintptr_t>(memory->data()) / 4096 * sizeof(uint64_t));
  ASSERT_EQ(pread(pagemap.get(), pages, sizeof(pages), at), static_cast<ssize_t>(sizeof(pages)));
  for (const uint64_t page : pages) EXPECT_EQ(page >> 63, 1u);  // present
}

TEST(SealedMemoryTest, DoesNotOutliveAnExec) {
  const auto memory = SealedMemory::Create("buffer", 4096);
  ASSERT_TRUE(memory.ok()) << memory.status();
  EXPECT_EQ(fcntl(memory->fd(), F_GETFD), FD_CLOEXEC);
}

TEST(SealedMemoryTest, MovesAndClosesOnce) {
  auto memory = SealedMemory::Create("buffer", 4096);
  ASSERT_TRUE(memory.ok()) << memory.status();
  const int fd = memory->fd();
  SealedMemory moved = *std::move(memory);
  EXPECT_EQ(moved.fd(), fd);
  auto other = SealedMemory::Create("other", 4096);
  ASSERT_TRUE(other.ok()) << other.status();
  moved = *std::move(other);
  EXPECT_EQ(fcntl(fd, F_GETFD), -1);
}

TEST(SealedMemoryTest, RefusesSizeZeroAndWhatNoFileCanHold) {
  EXPECT_EQ(SealedMemory::Create("none", 0).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(SealedMemory::Create("all", SIZE_MAX).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace p2p
