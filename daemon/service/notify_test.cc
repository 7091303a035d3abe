#include "daemon/service/notify.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <string>

#include "daemon/base/unique_fd.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

// A service manager that listens on a socket in the abstract namespace.
class NotifyTest : public testing::Test {
 protected:
  NotifyTest() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    const std::string name = "p2pd-notify-test-" + std::to_string(getpid());
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path + 1, sizeof(address.sun_path) - 1);
    const socklen_t length = offsetof(sockaddr_un, sun_path) + 1 + name.size();
    EXPECT_EQ(bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
    setenv("NOTIFY_SOCKET", ("@" + name).c_str(), 1);
  }
  ~NotifyTest() override { unsetenv("NOTIFY_SOCKET"); }

  std::string Receive() {
    char buffer[256] = {};
    const ssize_t n = recv(socket_.get(), buffer, sizeof(buffer), MSG_DONTWAIT);
    return n < 0 ? "" : std::string(buffer, static_cast<size_t>(n));
  }

  UniqueFd socket_;
};

TEST_F(NotifyTest, SaysReadyWithAStatus) {
  NotifyReady("2 devices");
  EXPECT_EQ(Receive(), "READY=1\nSTATUS=2 devices");
}

TEST_F(NotifyTest, AStatusOfTwoLinesStaysOneAssignment) {
  NotifyStatus("a\nWATCHDOG=1");
  EXPECT_EQ(Receive(), "STATUS=a WATCHDOG=1");
}

TEST_F(NotifyTest, SaysThatItStops) {
  NotifyStopping("ending 1 session");
  EXPECT_EQ(Receive(), "STOPPING=1\nSTATUS=ending 1 session");
}

}  // namespace
}  // namespace p2pd
