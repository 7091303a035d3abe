#include "daemon/front/fd_channel.h"

#include <sys/socket.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "daemon/base/errors.h"
#include "daemon/front/fd_message.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

constexpr PciAddress kDevice = {.domain = 0, .bus = 1, .device = 0, .function = 0};

class FdChannelTest : public testing::Test {
 protected:
  FdChannelTest() : FdChannelTest(SocketPair()) {}

  static std::pair<UniqueFd, UniqueFd> SocketPair() {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    return {UniqueFd(fds[0]), UniqueFd(fds[1])};
  }

  explicit FdChannelTest(std::pair<UniqueFd, UniqueFd> sockets)
      : client_(std::move(sockets.second)),
        unread_(table_.Open(1000, sockets.first)),
        channel_(std::move(sockets.first), std::move(unread_), [this] { ++backlogs_; }) {}

  absl::Status Grant() { return channel_.Grant(kDevice, "r1", *Duplicate(client_)); }

  // The next frame, or an empty one.
  v1::ServerFrame Read() {
    v1::ServerFrame frame;
    auto packet = ReceivePacket(client_);
    if (packet.ok() && packet->has_value()) {
      EXPECT_TRUE(frame.ParseFromString((*packet)->bytes));
      fds_ = (*packet)->fds.size();
    }
    return frame;
  }

  bool HungUp() { return !ReceivePacket(client_).ok(); }

  int FillSocket() {
    int sent = 0;
    for (; backlogs_ == 0; ++sent) channel_.Resume({.operation = OperationId(1), .device = kDevice});
    return sent;
  }

  UnreadFds table_{UnreadFdLimits{}};
  UniqueFd client_;
  UnreadFds::Account unread_;  // until the channel has it
  int backlogs_ = 0;
  size_t fds_ = 0;
  FdChannel channel_;
};

TEST_F(FdChannelTest, TheFdIsThereWhenTheGrantReturns) {
  ASSERT_TRUE(Grant().ok());
  const v1::ServerFrame frame = Read();
  EXPECT_EQ(frame.grant().name(), "devices/0000:01:00.0");
  EXPECT_EQ(frame.grant().kind(), v1::Grant::DEVICE);
  EXPECT_EQ(frame.grant().request_id(), "r1");
  EXPECT_EQ(fds_, 1u);
}

TEST_F(FdChannelTest, RefusesAFdWhileSixteenAreUnreadAndGrantsAgainOnceTheyAreRead) {
  for (int i = 0; i < static_cast<int>(UnreadFds::kPerSession); ++i) ASSERT_TRUE(Grant().ok()) << i;
  const absl::Status refused = Grant();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(GetErrorInfo(refused).reason, Reason::kQuota);
  Read();
  EXPECT_FALSE(Grant().ok());
  for (int i = 1; i < static_cast<int>(UnreadFds::kPerSession); ++i) Read();
  EXPECT_TRUE(Grant().ok());
}

TEST_F(FdChannelTest, AClientThatIsGoneGetsNoFd) {
  client_.Reset();
  const UniqueFd fd(dup(STDIN_FILENO));
  EXPECT_EQ(channel_.Grant(kDevice, "r1", *Duplicate(fd)).code(), absl::StatusCode::kUnavailable);
}

TEST_F(FdChannelTest, TellsAClientToQuiesceWithAsManyNamesAsFit) {
  QuiesceNotice notice = {.operation = OperationId(5),
                          .device = kDevice,
                          .generation = 3,
                          .mappings = {},
                          .deadline = absl::Nanoseconds(77)};
  for (uint64_t i = 0; i < 1000; ++i) notice.mappings.push_back(MappingId(UINT64_MAX - i));
  channel_.RequestQuiesce(notice);
  const v1::QuiesceRequested quiesce = Read().quiesce_requested();
  EXPECT_EQ(quiesce.operation(), "operations/5");
  EXPECT_EQ(quiesce.generation(), 3u);
  EXPECT_EQ(quiesce.deadline_monotonic_ns(), 77u);
  EXPECT_EQ(quiesce.mapping_count(), 1000u);
  EXPECT_GT(quiesce.mappings_size(), 100);
  EXPECT_LT(quiesce.mappings_size(), 1000);
  EXPECT_EQ(quiesce.mappings(0), "mappings/18446744073709551615");
}

TEST_F(FdChannelTest, KeepsFramesForASlowReaderInOrder) {
  const int filled = FillSocket();
  QuiesceNotice last;
  last.operation = OperationId(9);
  channel_.RequestQuiesce(last);
  EXPECT_EQ(backlogs_, 1);
  EXPECT_EQ(Grant().code(), absl::StatusCode::kResourceExhausted);
  for (int i = 0; i < filled - 1; ++i) EXPECT_TRUE(Read().has_resumed()) << i;
  EXPECT_FALSE(channel_.Flush());
  EXPECT_TRUE(Read().has_resumed());
  EXPECT_EQ(Read().quiesce_requested().operation(), "operations/9");
}

TEST_F(FdChannelTest, HangsUpOnAReaderThatIsFarTooSlow) {
  FillSocket();
  for (size_t i = 0; i <= FdChannel::kMaxBacklog; ++i)
    channel_.Resume({.operation = OperationId(1), .device = kDevice});
  while (Read().has_resumed()) continue;
  EXPECT_TRUE(HungUp());
}

TEST_F(FdChannelTest, SaysWhyItEndsAndThenHangsUp) {
  channel_.End("p2pd stops");
  channel_.Resume({.operation = OperationId(1), .device = kDevice});
  EXPECT_EQ(Read().ended().reason(), "p2pd stops");
  EXPECT_TRUE(HungUp());
  EXPECT_EQ(Grant().code(), absl::StatusCode::kUnavailable);
}

TEST_F(FdChannelTest, SendsNothingOnceItsSocketIsTaken) {
  const UniqueFd socket = channel_.TakeSocket();
  EXPECT_TRUE(socket.valid());
  channel_.Resume({.operation = OperationId(1), .device = kDevice});
  channel_.End("too late");
  EXPECT_EQ(Grant().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Read().frame_case(), v1::ServerFrame::FRAME_NOT_SET);
}

}  // namespace
}  // namespace p2pd
