#include "client/packet.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cstring>
#include <string>
#include <utility>

#include "client/testing/open_fds.h"
#include "gtest/gtest.h"

namespace p2p::internal {
namespace {

using ::p2p::testing::CountOpenFds;
using ::p2pd::FdRef;
using ::p2pd::UniqueFd;

class PacketTest : public ::testing::Test {
 protected:
  PacketTest() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    here_ = UniqueFd(ends[0]);
    there_ = UniqueFd(ends[1]);
  }

  // Sends `count` descriptors beside one byte, as the library itself never does.
  void SendFds(int count) {
    alignas(cmsghdr) char control[CMSG_SPACE(64 * sizeof(int))] = {};
    char byte = 'x';
    iovec data = {.iov_base = &byte, .iov_len = 1};
    msghdr message = {};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    for (int i = 0; i < count; ++i) {
      const int fd = there_.get();
      memcpy(CMSG_DATA(header) + i * sizeof(int), &fd, sizeof(fd));
    }
    ASSERT_EQ(sendmsg(there_.get(), &message, 0), 1);
  }

  UniqueFd here_;
  UniqueFd there_;
};

TEST_F(PacketTest, CarriesBytesAndADescriptorThatIsCloseOnExec) {
  ASSERT_TRUE(SendPacket(there_, "hello", FdRef(there_)).ok());
  const auto packet = ReceivePacket(here_);
  ASSERT_TRUE(packet.ok()) << packet.status();
  EXPECT_EQ(packet->bytes, "hello");
  ASSERT_EQ(packet->fds.size(), 1u);
  EXPECT_EQ(fcntl(packet->fds[0].get(), F_GETFD), FD_CLOEXEC);
}

TEST_F(PacketTest, CarriesAFrameOfFullLength) {
  const std::string frame(kMaxPacket, 'a');
  ASSERT_TRUE(SendPacket(there_, frame).ok());
  EXPECT_EQ(ReceivePacket(here_)->bytes, frame);
}

TEST_F(PacketTest, ATruncatedFrameIsDataLossAndItsDescriptorsAreClosed) {
  const int before = CountOpenFds();
  ASSERT_TRUE(SendPacket(there_, std::string(kMaxPacket + 1, 'a'), FdRef(there_)).ok());
  EXPECT_EQ(ReceivePacket(here_).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(CountOpenFds(), before);
}

TEST_F(PacketTest, MoreDescriptorsThanFitAreDataLossAndAllAreClosed) {
  const int before = CountOpenFds();
  SendFds(64);
  EXPECT_EQ(ReceivePacket(here_).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(CountOpenFds(), before);
}

TEST_F(PacketTest, AFewDescriptorsAreAllOwned) {
  const int before = CountOpenFds();
  SendFds(3);
  {
    const auto packet = ReceivePacket(here_);
    ASSERT_TRUE(packet.ok()) << packet.status();
    EXPECT_EQ(packet->fds.size(), 3u);
  }
  EXPECT_EQ(CountOpenFds(), before);
}

TEST_F(PacketTest, AHangUpIsUnavailableInBothDirections) {
  there_.Reset();
  EXPECT_EQ(ReceivePacket(here_).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(SendPacket(here_, "hello").code(), absl::StatusCode::kUnavailable);
}

TEST_F(PacketTest, WaitingHasAnEnd) {
  EXPECT_EQ(WaitForPacket(here_, absl::ZeroDuration()).code(), absl::StatusCode::kDeadlineExceeded);
  ASSERT_TRUE(SendPacket(there_, "hello").ok());
  EXPECT_TRUE(WaitForPacket(here_, absl::ZeroDuration()).ok());
}

TEST(ConnectPacketSocketTest, NamesThePathTheErrnoAndWhatToDo) {
  const absl::Status status = ConnectPacketSocket("/nonexistent/fds.sock", absl::Seconds(1)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status.message(),
            "connect to p2pd: /nonexistent/fds.sock: No such file or directory [ENOENT] "
            "(is p2pd running? systemctl status p2pd)");
}

TEST(ConnectPacketSocketTest, RefusesAPathLongerThanASocketsMayBe) {
  const absl::Status status = ConnectPacketSocket(std::string(108, 'a'), absl::Seconds(1)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
}

TEST(ConnectPacketSocketTest, ADeniedSocketNamesGroupAndMode) {
  const absl::Status status = ConnectError("/run/p2pd/fds.sock", EACCES);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(status.message().find("group"), absl::string_view::npos);
}

}  // namespace
}  // namespace p2p::internal
