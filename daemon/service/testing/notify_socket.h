// A service manager's end of sd_notify: a socket in the abstract namespace, and NOTIFY_SOCKET that names it.
#ifndef P2PD_DAEMON_SERVICE_TESTING_NOTIFY_SOCKET_H_
#define P2PD_DAEMON_SERVICE_TESTING_NOTIFY_SOCKET_H_

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <string>

#include "daemon/base/unique_fd.h"
#include "gtest/gtest.h"

namespace p2pd {

class NotifySocket {
 public:
  NotifySocket() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    // The kernel chooses a name that is free: tests run side by side, and may have equal pids.
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    EXPECT_EQ(bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(sa_family_t)), 0);
    socklen_t length = sizeof(address);
    EXPECT_EQ(getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
    const std::string name(address.sun_path + 1, length - offsetof(sockaddr_un, sun_path) - 1);
    setenv("NOTIFY_SOCKET", ("@" + name).c_str(), 1);
  }
  ~NotifySocket() { unsetenv("NOTIFY_SOCKET"); }

  // The next notification; "" if none is there.
  std::string Receive() {
    char buffer[256] = {};
    const ssize_t n = recv(socket_.get(), buffer, sizeof(buffer), MSG_DONTWAIT);
    return n < 0 ? "" : std::string(buffer, static_cast<size_t>(n));
  }
  FdRef fd() const { return socket_; }

 private:
  UniqueFd socket_;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_SERVICE_TESTING_NOTIFY_SOCKET_H_
