#include "daemon/core/fd_store.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "daemon/core/memory_fd_store.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

UniqueFd NewFd() { return UniqueFd(memfd_create("x", MFD_CLOEXEC)); }

ino_t InodeOf(FdRef fd) {
  struct stat info = {};
  EXPECT_EQ(fstat(fd.get(), &info), 0);
  return info.st_ino;
}

TEST(FdNameTest, NamesArePlainEnoughForAnEnvironmentVariable) {
  EXPECT_EQ(DeviceFdName({.bus = 0x3a}), "dev-0000-3a-00.0");
  EXPECT_EQ(ContextFdName({.domain = 0x10000, .bus = 1, .device = 2, .function = 7}), "ctx-10000-01-02.7");
  EXPECT_EQ(SessionFdName(7), "sess-7");
  EXPECT_EQ(MemoryFdName(12), "mem-12");
  EXPECT_EQ(RawExportFdName(9), "raw-9");
  for (const std::string& name : {DeviceFdName({.bus = 0x3a}), ContextFdName({}), SessionFdName(7), MemoryFdName(1),
                                  RawExportFdName(9), std::string(kJournalFdName)}) {
    EXPECT_TRUE(IsStoredFdName(name)) << name;
  }
}

TEST(FdNameTest, WhatIsNoStoredDescriptorHasNoSuchName) {
  for (const std::string& name :
       {std::string(), std::string("fds"), std::string("grpc"), std::string("stored"), std::string("dev-"),
        std::string("dev-0000:3a:00.0"), std::string("sess-1\nREADY=1"), "mem-" + std::string(252, '1')}) {
    EXPECT_FALSE(IsStoredFdName(name)) << name;
  }
}

TEST(MemoryFdStoreTest, KeepsADuplicateForEverySuccessor) {
  MemoryFdStore store;
  ino_t inode = 0;
  {
    const UniqueFd fd = NewFd();
    inode = InodeOf(fd);
    EXPECT_TRUE(store.Put("sess-1", fd).ok());
  }
  for (int i = 0; i < 2; ++i) {
    const std::vector<StoredFd> all = store.TakeAll();
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].name, "sess-1");
    EXPECT_EQ(InodeOf(all[0].fd), inode);
  }
  EXPECT_TRUE(store.Remove("sess-1").ok());
  EXPECT_TRUE(store.TakeAll().empty());
}

TEST(MemoryFdStoreTest, RefusesAsTheRealOneDoes) {
  MemoryFdStore store(2);
  const UniqueFd fd = NewFd();
  EXPECT_TRUE(absl::IsInvalidArgument(store.Put("sess:1", fd)));
  EXPECT_TRUE(absl::IsNotFound(store.Remove("sess-1")));
  EXPECT_TRUE(store.Put("sess-1", fd).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(store.Put("sess-1", fd)));
  EXPECT_TRUE(store.Put("sess-2", fd).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(store.Put("sess-3", fd)));
  EXPECT_EQ(store.names(), (std::vector<std::string>{"sess-1", "sess-2"}));
}

TEST(MemoryFdStoreTest, FailsOnceWhenAsked) {
  MemoryFdStore store;
  const UniqueFd fd = NewFd();
  store.FailNext(absl::DeadlineExceededError("no answer"));
  EXPECT_TRUE(absl::IsDeadlineExceeded(store.Put("sess-1", fd)));
  EXPECT_TRUE(store.Put("sess-1", fd).ok());
}

}  // namespace
}  // namespace p2pd
