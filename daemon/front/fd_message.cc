#include "daemon/front/fd_message.h"

#include <errno.h>
#include <sys/socket.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"

namespace p2pd {
namespace {

// SCM_MAX_FD: the kernel passes no more than this with one packet, so that none is ever cut off for want of
// room here.
constexpr size_t kMaxFds = 253;
constexpr size_t kMaxNameSize = 64;

absl::Status Malformed(absl::string_view frame, absl::string_view what) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   {.reason = Reason::kInvalidArgument, .step = std::string(frame), .object = "", .hint = ""}, what);
}

void TakeFds(msghdr& message, std::vector<UniqueFd>& fds) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
      fds.emplace_back(fd);
    }
  }
}

absl::Status CheckMemoryName(absl::string_view frame, const std::string& name) {
  if (name.empty()) return Malformed(frame, "name is empty");
  return name.size() > kMaxNameSize ? Malformed(frame, "name is longer than 64 bytes") : absl::OkStatus();
}

absl::Status CheckFrame(const v1::ClientFrame& frame) {
  switch (frame.frame_case()) {
    case v1::ClientFrame::kHello:
      if (frame.hello().client().size() > kMaxNameSize) return Malformed("Hello", "client is longer than 64 bytes");
      return absl::OkStatus();
    case v1::ClientFrame::kAckQuiesce:
      return absl::OkStatus();
    case v1::ClientFrame::kOfferMemory:
      return CheckMemoryName("OfferMemory", frame.offer_memory().name());
    case v1::ClientFrame::kWithdrawMemory:
      return CheckMemoryName("WithdrawMemory", frame.withdraw_memory().name());
    case v1::ClientFrame::FRAME_NOT_SET:
      return Malformed("frame", "is empty, or of a kind that this p2pd does not know");
  }
  return Malformed("frame", "is of a kind that this p2pd does not know");
}

}  // namespace

absl::StatusOr<std::optional<Packet>> ReceivePacket(FdRef socket) {
  char bytes[kMaxFrameSize];
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxFds * sizeof(int))];
  iovec part = {.iov_base = bytes, .iov_len = sizeof(bytes)};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  const ssize_t n = recvmsg(socket.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (n < 0) {
    if (errno == EAGAIN || errno == EINTR) return std::nullopt;
    return ErrnoError("recvmsg", "the fd channel", errno);
  }
  Packet packet;
  TakeFds(message, packet.fds);
  if (n == 0 && packet.fds.empty()) return absl::UnavailableError("hung up");
  packet.bytes.assign(bytes, static_cast<size_t>(n));
  packet.truncated = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
  return packet;
}

SendResult SendPacket(FdRef socket, absl::string_view bytes, FdRef fd) {
  iovec part = {.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (const int number = fd.get(); number >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &number, sizeof(int));
  }
  ssize_t n = 0;
  do {
    n = sendmsg(socket.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  if (n >= 0) return SendResult::kSent;
  switch (errno) {
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM:
    case ETOOMANYREFS:
      return SendResult::kFull;
    default:
      return SendResult::kGone;
  }
}

void CloseChannel(UniqueFd socket) {
  constexpr int kMaxPackets = 1024;
  shutdown(socket.get(), SHUT_RDWR);
  for (int i = 0; i < kMaxPackets; ++i) {
    const auto packet = ReceivePacket(socket);
    if (!packet.ok() || !packet->has_value()) return;
  }
}

absl::StatusOr<v1::ClientFrame> ParseClientFrame(absl::string_view bytes, size_t fd_count) {
  if (bytes.size() > kMaxFrameSize) return Malformed("frame", "is longer than 4 KiB");
  v1::ClientFrame frame;
  if (!frame.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Malformed("frame", "is not a ClientFrame");
  }
  P2PD_RETURN_IF_ERROR(CheckFrame(frame));
  const size_t wanted = frame.has_offer_memory() ? 1 : 0;
  if (fd_count != wanted) {
    return Malformed("frame", absl::StrCat("came with ", fd_count, " descriptors instead of ", wanted));
  }
  return frame;
}

}  // namespace p2pd
