#include "client/packet.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"

namespace p2p::internal {
namespace {

using ::p2pd::ErrorInfo;
using ::p2pd::FdRef;
using ::p2pd::MakeError;
using ::p2pd::Reason;
using ::p2pd::UniqueFd;

constexpr size_t kMaxFds = 4;  // the protocol sends one at a time

std::string What(int error) { return absl::StrCat(strerror(error), " [", p2pd::ErrnoName(error), "]"); }

absl::Status BrokenChannel(absl::string_view step, absl::string_view what, int error = 0) {
  return MakeError(absl::StatusCode::kUnavailable,
                   {.step = std::string(step), .object = "fd channel", .error = error, .hint = "connect anew"}, what);
}

std::vector<UniqueFd> OwnDescriptors(msghdr& message) {
  std::vector<UniqueFd> fds;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
      fds.emplace_back(fd);
    }
  }
  return fds;
}

}  // namespace

absl::Status ConnectError(absl::string_view path, int error) {
  std::string hint = "is p2pd running? systemctl status p2pd";
  if (error == EACCES || error == EPERM) hint = "this user may not use p2pd: the socket's group and mode decide";
  if (error == EAGAIN) hint = "p2pd does not accept connections: systemctl status p2pd";
  return MakeError(absl::StatusCode::kUnavailable,
                   {.step = "connect to p2pd", .object = std::string(path), .error = error, .hint = std::move(hint)},
                   What(error));
}

absl::StatusOr<UniqueFd> ConnectPacketSocket(absl::string_view path, absl::Duration timeout) {
  sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return MakeError(absl::StatusCode::kInvalidArgument,
                     {.reason = Reason::kInvalidArgument, .step = "connect to p2pd", .object = std::string(path)},
                     absl::StrCat("a socket's path has 1 to ", sizeof(address.sun_path) - 1, " bytes"));
  }
  std::copy(path.begin(), path.end(), address.sun_path);
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return p2pd::ErrnoError("socket", "AF_UNIX", errno);
  const timeval send_timeout = absl::ToTimeval(timeout);
  if (setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &send_timeout, sizeof(send_timeout)) != 0) {
    return p2pd::ErrnoError("SO_SNDTIMEO", path, errno);
  }
  int result = 0;
  do {
    result = connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  } while (result != 0 && errno == EINTR);
  if (result != 0) return ConnectError(path, errno);
  return socket;
}

absl::Status WaitForPacket(FdRef socket, absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  for (;;) {
    const absl::Duration left = std::max(deadline - absl::Now(), absl::ZeroDuration());
    const int64_t milliseconds = std::min<int64_t>(absl::ToInt64Milliseconds(left + absl::Milliseconds(1)), INT_MAX);
    pollfd poll_fd = {.fd = socket.get(), .events = POLLIN, .revents = 0};
    const int ready = poll(&poll_fd, 1, static_cast<int>(milliseconds));
    if (ready > 0) return absl::OkStatus();
    if (ready == 0) {
      return MakeError(absl::StatusCode::kDeadlineExceeded,
                       {.step = "fd channel", .hint = "p2pd is running but does not answer"},
                       absl::StrCat("no answer within ", absl::FormatDuration(timeout)));
    }
    if (errno != EINTR) return p2pd::ErrnoError("poll", "fd channel", errno);
  }
}

absl::StatusOr<Packet> ReceivePacket(FdRef socket) {
  char bytes[kMaxPacket];
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxFds * sizeof(int))];
  iovec data = {.iov_base = bytes, .iov_len = sizeof(bytes)};
  msghdr message = {};
  ssize_t length = 0;
  do {
    message = {};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    length = recvmsg(socket.get(), &message, MSG_CMSG_CLOEXEC);
  } while (length < 0 && errno == EINTR);
  if (length < 0) return BrokenChannel("recvmsg", What(errno), errno);
  Packet packet = {.bytes = {}, .fds = OwnDescriptors(message)};
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    return MakeError(absl::StatusCode::kDataLoss, {.step = "recvmsg", .object = "fd channel"},
                     absl::StrCat("the peer sent a frame of more than ", kMaxPacket, " bytes or ", kMaxFds, " fds"));
  }
  if (length == 0) return BrokenChannel("recvmsg", "the peer hung up");
  packet.bytes.assign(bytes, length);
  return packet;
}

absl::Status SendPacket(FdRef socket, absl::string_view bytes, std::optional<FdRef> fd) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  iovec data = {.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (fd.has_value()) {
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    const int number = fd->get();
    memcpy(CMSG_DATA(header), &number, sizeof(number));
  }
  ssize_t sent = 0;
  do {
    sent = sendmsg(socket.get(), &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return BrokenChannel("sendmsg", What(errno), errno);
  return absl::OkStatus();
}

}  // namespace p2p::internal
