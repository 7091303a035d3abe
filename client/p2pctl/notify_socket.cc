#include "client/p2pctl/notify_socket.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "daemon/base/errors.h"

namespace p2p::ctl {
namespace {

// Descriptors that came along (sd_notify's FDSTORE) are nobody's here.
void CloseFds(const cmsghdr* header) {
  const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  for (size_t i = 0; i < count; ++i) {
    int fd = -1;
    memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
    close(fd);
  }
}

// Whether the kernel vouches for this user, or root; closes descriptors.
bool IsTrusted(msghdr& message) {
  bool trusted = false;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET) continue;
    if (header->cmsg_type == SCM_RIGHTS) CloseFds(header);
    if (header->cmsg_type != SCM_CREDENTIALS) continue;
    ucred sender = {};
    memcpy(&sender, CMSG_DATA(header), sizeof(sender));
    trusted = sender.uid == geteuid() || sender.uid == 0;
  }
  return trusted;
}

}  // namespace

absl::StatusOr<NotifySocket> NotifySocket::Create() {
  p2pd::UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return p2pd::ErrnoError("socket", "NOTIFY_SOCKET", errno);
  const int yes = 1;
  sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
  socklen_t size = sizeof(sa_family_t);  // the family alone: the kernel picks a name
  if (setsockopt(fd.get(), SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)) != 0 ||
      bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) {
    return p2pd::ErrnoError("bind", "NOTIFY_SOCKET", errno);
  }
  size = sizeof(address);
  getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
  const absl::string_view name(address.sun_path + 1, size - offsetof(sockaddr_un, sun_path) - 1);
  return NotifySocket(std::move(fd), absl::StrCat("@", name));
}

std::optional<std::vector<std::string>> NotifySocket::Take() {
  std::array<char, 4096> text;
  alignas(cmsghdr) std::array<char, 1024> control;
  iovec part = {.iov_base = text.data(), .iov_len = text.size()};
  msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.data(), .msg_controllen = control.size()};
  const ssize_t size = recvmsg(fd_.get(), &message, MSG_CMSG_CLOEXEC);
  if (size < 0) return std::nullopt;
  if (!IsTrusted(message)) return std::vector<std::string>();
  return std::vector<std::string>(absl::StrSplit(absl::string_view(text.data(), size), '\n', absl::SkipEmpty()));
}

}  // namespace p2p::ctl
