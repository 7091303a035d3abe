#include "daemon/front/listener.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <vector>

#include "daemon/front/unix_socket.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

class ListenerTest : public testing::Test {
 protected:
  ListenerTest() : loop_(*EventLoop::Create()) {
    char name[] = "/tmp/p2pd-XXXXXX";
    folder_ = mkdtemp(name);
    path_ = folder_ + "/a.sock";
  }
  ~ListenerTest() override { std::filesystem::remove_all(folder_); }

  void Start(ConnectionTable& table) {
    auto listening = ListenAt(path_, SOCK_STREAM);
    ASSERT_TRUE(listening.ok()) << listening.status();
    auto listener = Listener::Start(*loop_, table, "test", *std::move(listening), [this](UniqueFd fd, auto lease) {
      connections_.push_back(std::move(fd));
      leases_.push_back(std::move(lease));
    });
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }

  UniqueFd Connect() {
    UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return fd;
  }

  // Lets the loop take what is waiting: everything accepted before the posted task runs.
  void RunFor(absl::Duration time) {
    const auto stop = loop_->After(time, [this] { loop_->Quit(); });
    EXPECT_TRUE(loop_->Run().ok());
  }

  std::unique_ptr<EventLoop> loop_;
  std::string folder_;
  std::string path_;
  std::unique_ptr<Listener> listener_;
  std::vector<UniqueFd> connections_;
  std::vector<absl::StatusOr<ConnectionTable::Lease>> leases_;
};

TEST_F(ListenerTest, HandsOnEachConnectionWithItsPlace) {
  ConnectionTable table({.per_user = 2, .total = 10});
  Start(table);
  const std::vector<UniqueFd> clients = [this] {
    std::vector<UniqueFd> fds;
    for (int i = 0; i < 3; ++i) fds.push_back(Connect());
    return fds;
  }();
  RunFor(absl::Milliseconds(20));
  ASSERT_EQ(connections_.size(), 3u);
  EXPECT_NE(fcntl(connections_[0].get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_NE(fcntl(connections_[0].get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_TRUE(leases_[0].ok());
  EXPECT_TRUE(leases_[1].ok());
  EXPECT_EQ(leases_[2].status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(ListenerTest, TurnsNewcomersAwayWhenDescriptorsRunOut) {
  ConnectionTable table({.per_user = 100, .total = 100});
  Start(table);
  const UniqueFd client = Connect();
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  std::vector<UniqueFd> ballast;
  const rlimit low = {.rlim_cur = 64, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  while (true) {
    UniqueFd fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) break;
    ballast.push_back(std::move(fd));
  }
  RunFor(absl::Milliseconds(20));
  EXPECT_TRUE(connections_.empty());
  pollfd wait = {.fd = client.get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&wait, 1, 10000), 1);  // it was accepted and closed, not left hanging
  EXPECT_NE(wait.revents & POLLHUP, 0);

  ballast.clear();
  setrlimit(RLIMIT_NOFILE, &before);
  const UniqueFd later = Connect();
  RunFor(absl::Milliseconds(20));
  EXPECT_EQ(connections_.size(), 1u);
}

}  // namespace
}  // namespace p2pd
