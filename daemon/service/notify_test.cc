#include "daemon/service/notify.h"

#include "daemon/service/testing/notify_socket.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

class NotifyTest : public testing::Test {
 protected:
  std::string Receive() { return manager_.Receive(); }

  NotifySocket manager_;
};

TEST_F(NotifyTest, SaysReadyWithAStatus) {
  NotifyReady("2 devices");
  EXPECT_EQ(Receive(), "READY=1\nSTATUS=2 devices");
}

TEST_F(NotifyTest, AStatusOfTwoLinesStaysOneAssignment) {
  NotifyStatus("a\nWATCHDOG=1");
  EXPECT_EQ(Receive(), "STATUS=a WATCHDOG=1");
}

TEST_F(NotifyTest, SaysThatItReloads) {
  NotifyReloading();
  EXPECT_EQ(Receive(), "RELOADING=1");
}

TEST_F(NotifyTest, SaysThatItStops) {
  NotifyStopping("ending 1 session");
  EXPECT_EQ(Receive(), "STOPPING=1\nSTATUS=ending 1 session");
}

}  // namespace
}  // namespace p2pd
