#include "client/p2pctl/notify_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2p::ctl {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;

class NotifySocketTest : public ::testing::Test {
 protected:
  NotifySocketTest() : socket_(*NotifySocket::Create()), sender_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {}

  // As sd_notify(3) does it; a descriptor may come along.
  void Send(std::string text, int fd = -1) {
    sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
    std::copy(socket_.address().begin() + 1, socket_.address().end(), address.sun_path + 1);
    iovec part = {.iov_base = text.data(), .iov_len = text.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message = {.msg_name = &address,
                      .msg_namelen = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.address().size()),
                      .msg_iov = &part,
                      .msg_iovlen = 1};
    if (fd >= 0) {
      message.msg_control = control;
      message.msg_controllen = sizeof(control);
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(sizeof(int));
      memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    }
    ASSERT_EQ(sendmsg(sender_.get(), &message, 0), static_cast<ssize_t>(text.size())) << strerror(errno);
  }

  NotifySocket socket_;
  const p2pd::UniqueFd sender_;
};

TEST_F(NotifySocketTest, HasAnAbstractAddress) {
  EXPECT_THAT(socket_.address(), StartsWith("@"));
  EXPECT_NE(NotifySocket::Create()->address(), socket_.address());
}

TEST_F(NotifySocketTest, TakesMessagesLineByLine) {
  EXPECT_FALSE(socket_.Take().has_value());
  Send("READY=1\nSTATUS=up\n");
  Send("X_P2PD_QUIESCED=1");
  pollfd wait = {.fd = socket_.fd().get(), .events = POLLIN};
  EXPECT_EQ(poll(&wait, 1, -1), 1);
  EXPECT_THAT(*socket_.Take(), ElementsAre("READY=1", "STATUS=up"));
  EXPECT_THAT(*socket_.Take(), ElementsAre("X_P2PD_QUIESCED=1"));
  EXPECT_FALSE(socket_.Take().has_value());
}

TEST_F(NotifySocketTest, ADescriptorThatComesAlongIsClosed) {
  int ends[2] = {};
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const p2pd::UniqueFd reader(ends[0]);
  p2pd::UniqueFd writer(ends[1]);
  Send("FDSTORE=1", writer.get());
  writer.Reset();
  EXPECT_THAT(*socket_.Take(), ElementsAre("FDSTORE=1"));
  char byte = 0;
  EXPECT_EQ(read(reader.get(), &byte, 1), 0);  // no writer is left
}

}  // namespace
}  // namespace p2p::ctl
