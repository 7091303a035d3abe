#include "daemon/service/older_instances.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <thread>

#include "gtest/gtest.h"

namespace p2pd {
namespace {

class OlderInstancesTest : public testing::Test {
 protected:
  OlderInstancesTest() : path_(std::string(std::getenv("TEST_TMPDIR")) + "/cgroup.procs") {}

  // As the kernel's file would be: at once, never half written.
  void Write(const std::string& text) {
    std::ofstream(path_ + ".new") << text;
    ASSERT_EQ(rename((path_ + ".new").c_str(), path_.c_str()), 0);
  }

  static pid_t Child() {
    const pid_t child = fork();
    if (child != 0) return child;
    for (;;) pause();
  }

  static std::string Self() { return std::to_string(getpid()) + "\n"; }

  const std::string path_;
};

TEST_F(OlderInstancesTest, AloneThereIsNothingToWaitFor) {
  Write(Self());
  const auto older = WaitForOlderInstances(path_, absl::ZeroDuration());
  ASSERT_TRUE(older.ok()) << older.status();
  EXPECT_TRUE(older->gone.empty());
}

TEST_F(OlderInstancesTest, ThoseBeforeItAreWaitedForUntilTheyHaveLeft) {
  const pid_t first = Child();
  const pid_t second = Child();
  Write(std::to_string(first) + "\n" + Self() + std::to_string(second) + "\n");
  std::thread kernel([&] {
    kill(first, SIGKILL);
    waitpid(first, nullptr, 0);
    Write(Self() + std::to_string(second) + "\n");
    kill(second, SIGKILL);
    waitpid(second, nullptr, 0);
    Write(Self());
  });
  const auto older = WaitForOlderInstances(path_, absl::Seconds(60));
  kernel.join();
  ASSERT_TRUE(older.ok()) << older.status();
  // Whom it saw go depends on when it looked; that both are gone does not.
  EXPECT_NE(kill(first, 0), 0);
  EXPECT_NE(kill(second, 0), 0);
}

TEST_F(OlderInstancesTest, WhoeverDoesNotLeaveInTimeIsNamed) {
  const pid_t child = Child();
  Write(std::to_string(child) + "\n" + Self());
  const absl::Status status = WaitForOlderInstances(path_, absl::Milliseconds(20)).status();
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_NE(status.message().find(std::to_string(child)), std::string::npos) << status;
}

TEST_F(OlderInstancesTest, AFileThatCannotBeReadIsNoEmptyOne) {
  EXPECT_FALSE(WaitForOlderInstances(path_ + ".none", absl::Seconds(1)).ok());
  Write("12\nrubbish\n");
  EXPECT_FALSE(WaitForOlderInstances(path_, absl::Seconds(1)).ok());
}

TEST_F(OlderInstancesTest, TheOwnControlGroupIsTheUnifiedHierarchys) {
  Write("4:memory:/elsewhere\n0::/system.slice/p2pd.service\n");
  EXPECT_EQ(*OwnProcsFile(path_, "/cg"), "/cg/system.slice/p2pd.service/cgroup.procs");
  Write("0::/\n");
  EXPECT_TRUE(absl::IsNotFound(OwnProcsFile(path_, "/cg").status()));
  Write("4:memory:/elsewhere\n");
  EXPECT_TRUE(absl::IsNotFound(OwnProcsFile(path_, "/cg").status()));
}

}  // namespace
}  // namespace p2pd
