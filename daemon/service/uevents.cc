#include "daemon/service/uevents.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <utility>

#include "absl/strings/str_split.h"
#include "daemon/base/errors.h"

namespace p2pd {
namespace {

constexpr uint32_t kFromKernel = 1;  // the multicast group; 2 is udev's
constexpr size_t kLargest = 8192;    // UEVENT_BUFFER_SIZE is 2048

}  // namespace

bool ConcernsDevices(absl::string_view message) {
  for (const absl::string_view field : absl::StrSplit(message, '\0')) {
    if (field == "SUBSYSTEM=vfio-dev" || field == "SUBSYSTEM=pci") return true;
  }
  return false;
}

absl::StatusOr<std::unique_ptr<Uevents>> Uevents::Listen(EventLoop& loop, absl::AnyInvocable<void()> on_change) {
  UniqueFd socket(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT));
  if (!socket.valid()) return ErrnoError("socket", "kernel uevents", errno);
  sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = kFromKernel};
  if (bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return ErrnoError("bind", "kernel uevents", errno);
  }
  std::unique_ptr<Uevents> uevents(new Uevents(std::move(socket), std::move(on_change)));
  P2PD_ASSIGN_OR_RETURN(uevents->watch_,
                        loop.WatchFd(uevents->socket_, EPOLLIN, [self = uevents.get()](uint32_t) { self->Read(); }));
  return uevents;
}

void Uevents::Read() {
  bool changed = false;
  for (;;) {
    char bytes[kLargest];
    sockaddr_nl from = {};
    socklen_t size = sizeof(from);
    const ssize_t n = recvfrom(socket_.get(), bytes, sizeof(bytes), 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (n < 0 && errno == ENOBUFS) {
      changed = true;  // some were lost
      continue;
    }
    if (n < 0) break;
    // Only the kernel has the port 0; others may send here, too.
    if (from.nl_pid == 0 && ConcernsDevices({bytes, static_cast<size_t>(n)})) changed = true;
  }
  if (changed) on_change_();
}

}  // namespace p2pd
