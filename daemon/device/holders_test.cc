#include "daemon/device/holders.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

// A child process that has done something and says so, and lives until it is killed.
class Child {
 public:
  explicit Child(const std::function<void()>& prepare) {
    int ready[2];
    EXPECT_EQ(pipe2(ready, O_CLOEXEC), 0);
    pid_ = fork();
    if (pid_ == 0) {
      prepare();
      if (write(ready[1], "x", 1) != 1) _exit(1);
      for (;;) pause();
    }
    char byte = 0;
    EXPECT_EQ(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
  }
  ~Child() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

class HoldersTest : public ::testing::Test {
 protected:
  HoldersTest() : file_(memfd_create("device", MFD_CLOEXEC)), identity_(*IdentityOf(file_)) {
    EXPECT_EQ(ftruncate(file_.get(), 4096), 0);
  }
  bool Holds(pid_t pid) {
    const std::vector<FileHolder> holders = FindHolders(identity_);
    return std::any_of(holders.begin(), holders.end(), [&](const FileHolder& holder) { return holder.pid == pid; });
  }

  UniqueFd file_;
  const FileIdentity identity_;
};

TEST_F(HoldersTest, FindsWhoInheritedTheDescriptorAndSaysHowItIsCalled) {
  const Child child([] {});
  const std::vector<FileHolder> holders = FindHolders(identity_);
  ASSERT_EQ(holders.size(), 1u) << "this process is no answer";
  EXPECT_EQ(holders[0].pid, child.pid());
  EXPECT_EQ(holders[0].comm, "holders_test");
}

TEST_F(HoldersTest, FindsWhoHasOnlyMappedIt) {
  const Child child([this] {
    mmap(nullptr, 4096, PROT_READ, MAP_SHARED, file_.get(), 0);
    file_.Reset();
  });
  EXPECT_TRUE(Holds(child.pid()));
}

TEST_F(HoldersTest, DoesNotFindWhoHasLetGo) {
  const Child child([this] { file_.Reset(); });
  EXPECT_FALSE(Holds(child.pid()));
}

TEST_F(HoldersTest, DoesNotFindWhoHasAnotherFileOfTheSameFileSystem) {
  const UniqueFd other(memfd_create("device", MFD_CLOEXEC));  // of the same name, too
  const Child child([this] { file_.Reset(); });
  EXPECT_EQ(IdentityOf(other)->file_system, identity_.file_system);
  EXPECT_FALSE(Holds(child.pid()));
}

TEST_F(HoldersTest, ACharacterDeviceIsTheSameByWhateverNode) {
  const UniqueFd zero(open("/dev/zero", O_RDONLY | O_CLOEXEC));
  const UniqueFd again(open("/dev/zero", O_WRONLY | O_CLOEXEC));
  const UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(*IdentityOf(zero), *IdentityOf(again));
  EXPECT_FALSE(*IdentityOf(zero) == *IdentityOf(null));
}

TEST(DescribeHoldersTest, NamesThreeAndCountsTheRest) {
  const std::vector<FileHolder> five = {{.pid = 1, .comm = "a", .unit = "a.service"},
                                        {.pid = 2, .comm = "b"},
                                        {.pid = 3, .comm = "c"},
                                        {.pid = 4},
                                        {.pid = 5}};
  EXPECT_EQ(Describe(five), "a (pid 1, a.service), b (pid 2), c (pid 3) and 2 more");
  EXPECT_EQ(Describe({{.pid = 2, .comm = "b"}}), "b (pid 2)");
  EXPECT_EQ(Describe(std::vector<FileHolder>()), "");
}

}  // namespace
}  // namespace p2pd
