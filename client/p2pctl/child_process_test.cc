// Real child processes: what they are given, and how they end.
#include "client/p2pctl/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2p::ctl {
namespace {

using ::p2pd::UniqueFd;
using ::testing::HasSubstr;

class ChildProcessTest : public ::testing::Test {
 protected:
  // A memfd in place of a pipe: a child that writes much never waits for a reader.
  ChildProcessTest() : output_(memfd_create("output", MFD_CLOEXEC)) { sigemptyset(&options_.signal_mask); }

  // The exit status of a shell that runs `script`.
  int RunScript(const std::string& script) {
    options_.command = {"sh", "-c", absl::StrCat("exec >/proc/", getpid(), "/fd/", output_.get(), "; ", script)};
    auto child = ChildProcess::Start(options_);
    EXPECT_TRUE(child.ok()) << child.status();
    return child.ok() ? child->Wait() : -1;
  }
  std::string Output() const {
    std::array<char, 4096> text;
    const ssize_t size = pread(output_.get(), text.data(), text.size(), 0);
    return std::string(text.data(), size);
  }
  static UniqueFd Memory(const char* content) {
    UniqueFd memory(memfd_create("memory", MFD_CLOEXEC));
    EXPECT_EQ(pwrite(memory.get(), content, strlen(content), 0), static_cast<ssize_t>(strlen(content)));
    return memory;
  }

  const UniqueFd output_;
  ChildOptions options_;
};

TEST_F(ChildProcessTest, PassesDescriptorsFromThreeOnCountedAndNamed) {
  const UniqueFd first = Memory("first");
  const UniqueFd second = Memory("second");
  options_.fds = {{.name = "one", .fd = first.get()}, {.name = "two", .fd = second.get()}};
  EXPECT_EQ(RunScript("cat <&3; echo; cat <&4; echo; [ $LISTEN_PID = $$ ] && echo $LISTEN_FDS $LISTEN_FDNAMES"), 0);
  EXPECT_EQ(Output(), "first\nsecond\n2 one:two\n");
}

TEST_F(ChildProcessTest, DescriptorsThatLieInEachOthersPlacesArriveInOrder) {
  const UniqueFd first = Memory("first");
  const UniqueFd second = Memory("second");
  // 4 and 3, where 3 and 4 are wanted: what this process has there is put aside.
  const std::array<UniqueFd, 2> aside = {UniqueFd(fcntl(3, F_DUPFD_CLOEXEC, 50)),
                                         UniqueFd(fcntl(4, F_DUPFD_CLOEXEC, 50))};
  const UniqueFd high_first(fcntl(first.get(), F_DUPFD_CLOEXEC, 60));
  const UniqueFd high_second(fcntl(second.get(), F_DUPFD_CLOEXEC, 60));
  const UniqueFd output(fcntl(output_.get(), F_DUPFD_CLOEXEC, 70));
  ASSERT_EQ(dup3(high_first.get(), 4, O_CLOEXEC), 4);
  ASSERT_EQ(dup3(high_second.get(), 3, O_CLOEXEC), 3);
  options_.fds = {{.name = "one", .fd = 4}, {.name = "two", .fd = 3}};
  options_.command = {"sh", "-c", absl::StrCat("exec >/proc/", getpid(), "/fd/", output.get(), "; cat <&3; cat <&4")};
  auto child = ChildProcess::Start(options_);
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_EQ(child->Wait(), 0);
  for (int fd = 3; fd <= 4; ++fd) dup3(aside[fd - 3].get(), fd, O_CLOEXEC);
  std::array<char, 64> text = {};
  EXPECT_GT(pread(output.get(), text.data(), text.size(), 0), 0);
  EXPECT_STREQ(text.data(), "firstsecond");
}

TEST_F(ChildProcessTest, NothingElseThatIsOpenReachesIt) {
  const UniqueFd passed = Memory("passed");
  const UniqueFd leaky(fcntl(passed.get(), F_DUPFD, 20));  // not O_CLOEXEC
  options_.fds = {{.name = "passed", .fd = passed.get()}};
  EXPECT_EQ(RunScript("ls /proc/$$/fd; true"), 0);
  EXPECT_EQ(Output(), "0\n1\n2\n3\n");
}

TEST_F(ChildProcessTest, WithoutDescriptorsNothingIsAnnounced) {
  setenv("LISTEN_FDS", "7", 1);
  setenv("NOTIFY_SOCKET", "/of/somebody/else", 1);
  options_.environment = {"P2PD_SESSION=sessions/7"};
  EXPECT_EQ(RunScript("echo $LISTEN_FDS/$LISTEN_PID/$NOTIFY_SOCKET/$P2PD_SESSION"), 0);
  EXPECT_EQ(Output(), "///sessions/7\n");
}

TEST_F(ChildProcessTest, ItsEndIsToldAsShellsDo) {
  EXPECT_EQ(RunScript("exit 42"), 42);
  EXPECT_EQ(RunScript("kill -KILL $$"), 128 + SIGKILL);
}

TEST_F(ChildProcessTest, AnEndMakesThePidfdReadable) {
  options_.command = {"true"};
  auto child = ChildProcess::Start(options_);
  ASSERT_TRUE(child.ok()) << child.status();
  pollfd wait = {.fd = child->pidfd().get(), .events = POLLIN};
  EXPECT_EQ(poll(&wait, 1, -1), 1);
  EXPECT_EQ(child->Wait(), 0);
}

TEST_F(ChildProcessTest, ASignalReachesItAlsoWhereThisProcessBlocksIt) {
  sigset_t term;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  sigprocmask(SIG_BLOCK, &term, &options_.signal_mask);
  options_.command = {"sleep", "1000"};
  auto child = ChildProcess::Start(options_);
  ASSERT_TRUE(child.ok()) << child.status();
  child->Signal(SIGTERM);
  EXPECT_EQ(child->Wait(), 128 + SIGTERM);
}

TEST_F(ChildProcessTest, ACommandThatIsNotThereIsNotFound) {
  options_.command = {"/nonexistent/command"};
  const auto child = ChildProcess::Start(options_);
  EXPECT_EQ(child.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(child.status().message()), HasSubstr("exec: /nonexistent/command: No such file"));
}

TEST_F(ChildProcessTest, AFileThatIsNoProgramIsRefusedWithItsErrno) {
  options_.command = {"/etc/passwd"};
  const auto child = ChildProcess::Start(options_);
  EXPECT_THAT(std::string(child.status().message()), HasSubstr("EACCES"));
}

}  // namespace
}  // namespace p2p::ctl
