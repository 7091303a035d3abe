#include "daemon/front/fd_message.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "gtest/gtest.h"

namespace p2pd {
namespace {

std::pair<UniqueFd, UniqueFd> SocketPair() {
  int fds[2];
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

// Sends any number of copies of `fd` beside the bytes, as a stranger would.
void SendWithFds(FdRef socket, absl::string_view bytes, FdRef fd, size_t count) {
  iovec part = {.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(253 * sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = CMSG_SPACE(count * sizeof(int));
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(count * sizeof(int));
  for (size_t i = 0; i < count; ++i) {
    const int number = fd.get();
    memcpy(CMSG_DATA(header) + i * sizeof(int), &number, sizeof(int));
  }
  ASSERT_EQ(sendmsg(socket.get(), &message, 0), static_cast<ssize_t>(bytes.size()));
}

std::string Encoded(const v1::ClientFrame& frame) { return frame.SerializeAsString(); }

std::string Hello(const std::string& client) {
  v1::ClientFrame frame;
  frame.mutable_hello()->set_client(client);
  return Encoded(frame);
}

std::string OfferMemory(const std::string& name) {
  v1::ClientFrame frame;
  frame.mutable_offer_memory()->set_name(name);
  return Encoded(frame);
}

TEST(FdMessageTest, CarriesAFrameWithItsDescriptor) {
  const auto [a, b] = SocketPair();
  EXPECT_EQ(SendPacket(a, "frame", b), SendResult::kSent);
  auto packet = ReceivePacket(b);
  ASSERT_TRUE(packet.ok() && packet->has_value());
  EXPECT_EQ((*packet)->bytes, "frame");
  ASSERT_EQ((*packet)->fds.size(), 1u);
  EXPECT_NE(fcntl((*packet)->fds[0].get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_FALSE((*packet)->truncated);
}

TEST(FdMessageTest, SaysThatNothingHasCome) {
  const auto [a, b] = SocketPair();
  const auto packet = ReceivePacket(b);
  ASSERT_TRUE(packet.ok());
  EXPECT_FALSE(packet->has_value());
}

TEST(FdMessageTest, TellsAHangUp) {
  auto [a, b] = SocketPair();
  a.Reset();
  EXPECT_EQ(ReceivePacket(b).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(SendPacket(b, "frame"), SendResult::kGone);
}

TEST(FdMessageTest, AnEmptyPacketCountsAsAHangUp) {
  const auto [a, b] = SocketPair();
  ASSERT_EQ(send(a.get(), "", 0, 0), 0);
  EXPECT_EQ(ReceivePacket(b).status().code(), absl::StatusCode::kUnavailable);
}

TEST(FdMessageTest, AnEmptyPacketWithADescriptorIsNotLost) {
  const auto [a, b] = SocketPair();
  SendWithFds(a, "", b, 1);
  auto packet = ReceivePacket(b);
  ASSERT_TRUE(packet.ok() && packet->has_value());
  EXPECT_EQ((*packet)->fds.size(), 1u);
}

TEST(FdMessageTest, AFrameOverFourKibibytesIsMarked) {
  const auto [a, b] = SocketPair();
  EXPECT_EQ(SendPacket(a, std::string(kMaxFrameSize, 'x')), SendResult::kSent);
  EXPECT_EQ(SendPacket(a, std::string(kMaxFrameSize + 1, 'x')), SendResult::kSent);
  auto fits = ReceivePacket(b);
  ASSERT_TRUE(fits.ok() && fits->has_value());
  EXPECT_FALSE((*fits)->truncated);
  auto longer = ReceivePacket(b);
  ASSERT_TRUE(longer.ok() && longer->has_value());
  EXPECT_TRUE((*longer)->truncated);
}

TEST(FdMessageTest, OwnsEveryDescriptorThatAPacketCanCarry) {
  const auto [a, b] = SocketPair();
  SendWithFds(a, "frame", b, 253);
  auto packet = ReceivePacket(b);
  ASSERT_TRUE(packet.ok() && packet->has_value());
  EXPECT_EQ((*packet)->fds.size(), 253u);
  EXPECT_FALSE((*packet)->truncated);
}

TEST(FdMessageTest, AFullSocketIsNotAHangUp) {
  const auto [a, b] = SocketPair();
  SendResult result = SendResult::kSent;
  for (int i = 0; i < 100000 && result == SendResult::kSent; ++i) result = SendPacket(a, std::string(4096, 'x'));
  EXPECT_EQ(result, SendResult::kFull);
}

TEST(FdMessageTest, TheLastFrameIsReadableAlthoughThePeersOwnWereNotRead) {
  auto [a, b] = SocketPair();
  EXPECT_EQ(SendPacket(b, "unread"), SendResult::kSent);
  EXPECT_EQ(SendPacket(b, "unread too", a), SendResult::kSent);
  EXPECT_EQ(SendPacket(a, "why"), SendResult::kSent);
  CloseChannel(std::move(a));
  const auto last = ReceivePacket(b);
  ASSERT_TRUE(last.ok() && last->has_value()) << last.status();
  EXPECT_EQ((*last)->bytes, "why");
  EXPECT_EQ(ReceivePacket(b).status().code(), absl::StatusCode::kUnavailable);
}

TEST(ParseClientFrameTest, TakesEachFrameWithItsDescriptors) {
  EXPECT_EQ(ParseClientFrame(Hello("spdk"), 0)->hello().client(), "spdk");
  EXPECT_EQ(ParseClientFrame(OfferMemory("queues"), 1)->offer_memory().name(), "queues");
}

TEST(ParseClientFrameTest, RefusesDescriptorsThatDoNotBelong) {
  EXPECT_FALSE(ParseClientFrame(Hello("spdk"), 1).ok());
  EXPECT_FALSE(ParseClientFrame(OfferMemory("queues"), 0).ok());
  EXPECT_FALSE(ParseClientFrame(OfferMemory("queues"), 2).ok());
}

TEST(ParseClientFrameTest, RefusesGarbageEmptinessAndWhatIsTooLong) {
  EXPECT_FALSE(ParseClientFrame("\xff\xff\xff", 0).ok());
  EXPECT_FALSE(ParseClientFrame("", 0).ok());
  EXPECT_FALSE(ParseClientFrame(std::string(5000, '\0'), 0).ok());
  EXPECT_FALSE(ParseClientFrame(Hello(std::string(65, 'x')), 0).ok());
  EXPECT_FALSE(ParseClientFrame(OfferMemory(""), 1).ok());
  EXPECT_FALSE(ParseClientFrame(OfferMemory(std::string(65, 'x')), 1).ok());
}

}  // namespace
}  // namespace p2pd
