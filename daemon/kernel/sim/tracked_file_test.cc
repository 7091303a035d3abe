#include "daemon/kernel/sim/tracked_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace p2pd::sim {
namespace {

TrackedFile NewFile() { return *TrackedFile::Create("test", 4096); }

TEST(TrackedFileTest, AnOpenEndsWithItsLastDuplicate) {
  const TrackedFile file = NewFile();
  UniqueFd fd = *file.Open(1);
  UniqueFd copy = *Duplicate(fd);
  fd.Reset();
  EXPECT_TRUE(file.IsOpen(1));
  copy.Reset();
  EXPECT_FALSE(file.IsOpen(1));
}

TEST(TrackedFileTest, TellsOpensOfTheSameFileApart) {
  const TrackedFile file = NewFile();
  UniqueFd one = *file.Open(1);
  const UniqueFd two = *file.Open(2);
  EXPECT_TRUE(file.IsHandle(one, 1));
  EXPECT_FALSE(file.IsHandle(one, 2));
  EXPECT_FALSE(file.IsHandle(two, 1));
  EXPECT_EQ(Identify(one), Identify(two));
  one.Reset();
  EXPECT_FALSE(file.IsOpen(1));
  EXPECT_TRUE(file.IsOpen(2));
}

TEST(TrackedFileTest, AnOpenOfSomebodyElsesMakingIsNoHandle) {
  const TrackedFile file = NewFile();
  const UniqueFd fd = *file.Open(1);
  const UniqueFd other(open(absl::StrCat("/proc/self/fd/", fd.get()).c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(other.valid());
  EXPECT_FALSE(file.IsHandle(other, 1));
}

TEST(TrackedFileTest, NobodyCanCutTheFileShort) {
  const TrackedFile file = NewFile();
  const UniqueFd fd = *file.Open(1);
  EXPECT_NE(ftruncate(fd.get(), 0), 0);
  EXPECT_NE(ftruncate(fd.get(), 8192), 0);
}

TEST(TrackedFileTest, AMappingKeepsAnOpenAlive) {
  const TrackedFile file = NewFile();
  UniqueFd fd = *file.Open(1);
  void* map = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  ASSERT_NE(map, MAP_FAILED);
  fd.Reset();
  EXPECT_TRUE(file.IsOpen(1));
  munmap(map, 4096);
  EXPECT_FALSE(file.IsOpen(1));
}

TEST(TrackedFileTest, AnUnreadMessageKeepsAnOpenAlive) {
  const TrackedFile file = NewFile();
  UniqueFd fd = *file.Open(1);
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
  UniqueFd sender(ends[0]);
  UniqueFd receiver(ends[1]);

  char byte = 0;
  iovec data = {.iov_base = &byte, .iov_len = 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int number = fd.get();
  memcpy(CMSG_DATA(header), &number, sizeof(number));
  ASSERT_EQ(sendmsg(sender.get(), &message, 0), 1);

  fd.Reset();
  EXPECT_TRUE(file.IsOpen(1));
  sender.Reset();
  receiver.Reset();
  EXPECT_FALSE(file.IsOpen(1));
}

TEST(TrackedFileTest, AnotherProcessKeepsAnOpenAliveUntilItEnds) {
  const TrackedFile file = NewFile();
  UniqueFd fd = *file.Open(1);
  int pipe_ends[2];
  ASSERT_EQ(pipe2(pipe_ends, O_CLOEXEC), 0);
  UniqueFd reader(pipe_ends[0]);
  UniqueFd writer(pipe_ends[1]);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    char byte;
    close(writer.get());
    _exit(read(reader.get(), &byte, 1) == 0 ? 0 : 1);
  }
  fd.Reset();
  EXPECT_TRUE(file.IsOpen(1));
  writer.Reset();
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_FALSE(file.IsOpen(1));
}

}  // namespace
}  // namespace p2pd::sim
