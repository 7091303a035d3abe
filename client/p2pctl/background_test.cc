// Real processes: who asks is told how it went, and the holder keeps nothing of theirs.
#include "client/p2pctl/background.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "gtest/gtest.h"

namespace p2p::ctl {
namespace {

// Ends the holder where a test would otherwise go on in it.
void InHolder(Background& background, int exit_status) {
  if (!background.is_holder()) return;
  _exit(exit_status);
}

TEST(BackgroundTest, AHolderThatEndsBeforeItHasDetachedTellsHow) {
  auto background = Background::Fork();
  ASSERT_TRUE(background.ok()) << background.status();
  InHolder(*background, 4);
  EXPECT_EQ(background->AwaitHolder(), 4);
}

TEST(BackgroundTest, AHolderThatIsKilledTellsTheSignal) {
  auto background = Background::Fork();
  ASSERT_TRUE(background.ok()) << background.status();
  if (background->is_holder()) abort();
  EXPECT_EQ(background->AwaitHolder(), 128 + SIGABRT);
}

TEST(BackgroundTest, ADetachedHolderLivesOnWithoutStdioAndDescriptorsOfTheCaller) {
  int ends[2] = {};
  ASSERT_EQ(pipe(ends), 0);
  const p2pd::UniqueFd reader(ends[0]);
  p2pd::UniqueFd writer(ends[1]);  // as a lock of the caller's
  p2pd::UniqueFd keep(dup(STDOUT_FILENO));
  ASSERT_EQ(dup2(writer.get(), STDOUT_FILENO), STDOUT_FILENO);  // as in $(p2pctl acquire ...)
  auto background = Background::Fork();
  ASSERT_TRUE(background.ok()) << background.status();
  if (background->is_holder()) {
    if (!background->Detach().ok()) _exit(1);
    for (;;) pause();
  }
  dup2(keep.get(), STDOUT_FILENO);
  writer.Reset();
  EXPECT_EQ(background->AwaitHolder(), 0);
  char byte = 0;
  EXPECT_EQ(read(reader.get(), &byte, 1), 0);  // the holder has no end of the pipe
  const pid_t holder = background->holder();
  EXPECT_EQ(getsid(holder), holder);
  EXPECT_EQ(waitpid(holder, nullptr, WNOHANG), 0);
  kill(holder, SIGKILL);
  waitpid(holder, nullptr, 0);
}

TEST(BackgroundTest, AHolderForWhomNobodyWaitsDoesNotDetach) {
  ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);  // the orphan is this process's to wait for
  const pid_t asking = fork();                     // somebody who asks, and goes at once
  if (asking == 0) {
    const pid_t self = getpid();
    auto background = Background::Fork();
    if (!background.ok() || !background->is_holder()) _exit(background.ok() ? 0 : 1);
    while (getppid() == self) sched_yield();
    _exit(absl::IsCancelled(background->Detach()) ? 42 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(asking, &status, 0), asking);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  ASSERT_GT(wait(&status), 0);
  EXPECT_EQ(WEXITSTATUS(status), 42);
}

}  // namespace
}  // namespace p2p::ctl
