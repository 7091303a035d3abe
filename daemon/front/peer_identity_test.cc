#include "daemon/front/peer_identity.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include "gtest/gtest.h"

namespace p2pd {
namespace {

std::pair<UniqueFd, UniqueFd> SocketPair() {
  int fds[2];
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

TEST(PeerIdentityTest, IsWhatTheKernelSaysOfTheProcess) {
  const auto [ours, theirs] = SocketPair();
  const auto peer = IdentifyPeer(ours);
  ASSERT_TRUE(peer.ok()) << peer.status();
  EXPECT_EQ(peer->identity.pid, getpid());
  EXPECT_EQ(peer->identity.subject.uid, getuid());
  EXPECT_EQ(peer->identity.subject.gid, getgid());
  EXPECT_EQ(peer->identity.subject.groups.size(), static_cast<size_t>(getgroups(0, nullptr)));
  EXPECT_EQ(peer->identity.comm.substr(0, 13), "peer_identity");
  EXPECT_EQ(peer->identity.client, "");
  EXPECT_EQ(*PeerUid(ours), getuid());
}

// Blocks until the other end of the pipe is closed or written to.
void WaitFor(const UniqueFd& pipe_end) {
  pollfd wait = {.fd = pipe_end.get(), .events = POLLIN, .revents = 0};
  poll(&wait, 1, -1);
}

TEST(PeerIdentityTest, APidfdFiresWhenTheProcessEndsAlthoughAChildKeepsItsSocket) {
  const UniqueFd listening(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  socklen_t length = sizeof(sa_family_t);  // an abstract address of the kernel's choice
  ASSERT_EQ(bind(listening.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(listen(listening.get(), 1), 0);
  length = sizeof(address);
  ASSERT_EQ(getsockname(listening.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  const UniqueFd may_end(fds[0]);
  UniqueFd let_it_end(fds[1]);
  ASSERT_EQ(pipe(fds), 0);
  const UniqueFd may_grandchild_end(fds[0]);
  const UniqueFd let_grandchild_end(fds[1]);
  const pid_t child = fork();
  if (child == 0) {
    let_it_end.Reset();
    const UniqueFd connection(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (connect(connection.get(), reinterpret_cast<sockaddr*>(&address), length) != 0) _exit(1);
    if (fork() == 0) {
      UniqueFd(let_grandchild_end.get()).Reset();
      WaitFor(may_grandchild_end);
      _exit(0);
    }
    WaitFor(may_end);
    _exit(0);
  }
  const UniqueFd connection(accept(listening.get(), nullptr, nullptr));
  ASSERT_TRUE(connection.valid());
  const auto peer = IdentifyPeer(connection);
  ASSERT_TRUE(peer.ok()) << peer.status();
  EXPECT_EQ(peer->identity.pid, child);
  pollfd ended = {.fd = peer->pidfd.get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&ended, 1, 0), 0);
  let_it_end.Reset();
  EXPECT_EQ(poll(&ended, 1, 10000), 1);
  pollfd hung_up = {.fd = connection.get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&hung_up, 1, 0), 0);
  waitpid(child, nullptr, 0);
  EXPECT_EQ(IdentifyPeer(connection).status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace p2pd
