#include "tests/component/raw_client.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>

#include "daemon/front/fd_message.h"
#include "gtest/gtest.h"
#include "proto/p2pd/v1/rpc_status.pb.h"

namespace p2pd {

RawClient::RawClient(const std::string& path) : socket_(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  EXPECT_EQ(connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
}

// p2pd may have hung up already; then nothing is sent, and Read() tells.
void RawClient::SendBytes(const std::string& bytes, const std::vector<int>& fds) {
  iovec part = {.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(253 * sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::copy(fds.begin(), fds.end(), reinterpret_cast<int*>(CMSG_DATA(header)));
  }
  sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
}

std::optional<v1::ServerFrame> RawClient::Read() {
  pollfd wait = {.fd = socket_.get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&wait, 1, 10000), 1) << "p2pd says nothing";
  return ReadNow();
}

std::optional<v1::ServerFrame> RawClient::ReadNow() {
  auto packet = ReceivePacket(socket_);
  EXPECT_TRUE(packet.ok() || packet.status().code() == absl::StatusCode::kUnavailable) << packet.status();
  if (!packet.ok() || !packet->has_value()) return std::nullopt;
  v1::ServerFrame frame;
  EXPECT_TRUE(frame.ParseFromString((*packet)->bytes));
  fds_ = std::move((*packet)->fds);
  return frame;
}

const v1::Welcome& RawClient::Hello(const std::string& client) {
  v1::ClientFrame hello;
  hello.mutable_hello()->set_client(client);
  Send(hello);
  const auto frame = Read();
  EXPECT_TRUE(frame.has_value() && frame->has_welcome());
  if (frame.has_value()) welcome_ = frame->welcome();
  return welcome_;
}

std::unique_ptr<grpc::ClientContext> CallAs(const std::string& token) {
  auto context = std::make_unique<grpc::ClientContext>();
  if (!token.empty()) context->AddMetadata("p2pd-token", token);
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  return context;
}

v1::ErrorDetail DetailOf(const grpc::Status& status) {
  v1::RpcStatus details;
  v1::ErrorDetail detail;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  EXPECT_TRUE(details.details_size() == 1 && details.details(0).UnpackTo(&detail)) << status.error_message();
  return detail;
}

v1::ClientFrame OfferMemory(const std::string& name) {
  v1::ClientFrame frame;
  frame.mutable_offer_memory()->set_name(name);
  return frame;
}

UniqueFd SealedMemory(size_t size) {
  UniqueFd memory(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_EQ(fallocate(memory.get(), 0, 0, static_cast<off_t>(size)), 0);
  EXPECT_EQ(fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK), 0);
  return memory;
}

}  // namespace p2pd
