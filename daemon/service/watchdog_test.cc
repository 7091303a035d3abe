#include "daemon/service/watchdog.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "daemon/service/testing/notify_socket.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

class WatchdogTest : public testing::Test {
 protected:
  WatchdogTest() : loop_(*EventLoop::Create()) {}
  ~WatchdogTest() override { unsetenv("WATCHDOG_USEC"); }

  NotifySocket manager_;
  std::unique_ptr<EventLoop> loop_;
};

TEST_F(WatchdogTest, SaysThatItLivesWithoutBeingAskedAgain) {
  setenv("WATCHDOG_USEC", "4000", 1);
  int checks = 0;
  const auto watchdog = Watchdog::Start(*loop_, [&] { ++checks; });
  ASSERT_TRUE(watchdog.ok()) << watchdog.status();
  int heard = 0;
  const auto hear = loop_->WatchFd(manager_.fd(), EPOLLIN, [&](uint32_t) {
    EXPECT_EQ(manager_.Receive(), "WATCHDOG=1");
    if (++heard == 3) loop_->Quit();
  });
  EXPECT_TRUE(loop_->Run().ok());
  EXPECT_EQ(checks, 3);
}

TEST_F(WatchdogTest, SaysNothingBeforeItsCheckHasReturned) {
  setenv("WATCHDOG_USEC", "4000", 1);
  const auto watchdog = Watchdog::Start(*loop_, [&] {
    EXPECT_EQ(manager_.Receive(), "");
    loop_->Quit();
  });
  EXPECT_TRUE(loop_->Run().ok());
  EXPECT_EQ(manager_.Receive(), "WATCHDOG=1");
}

TEST_F(WatchdogTest, IsNotThereWhereNobodyWaitsForIt) {
  unsetenv("WATCHDOG_USEC");
  const auto watchdog = Watchdog::Start(*loop_, [] {});
  ASSERT_TRUE(watchdog.ok()) << watchdog.status();
  EXPECT_EQ(*watchdog, nullptr);
}

TEST_F(WatchdogTest, RefusesAnIntervalThatIsNone) {
  setenv("WATCHDOG_USEC", "soon", 1);
  EXPECT_FALSE(Watchdog::Start(*loop_, [] {}).ok());
}

}  // namespace
}  // namespace p2pd
