#include "daemon/service/uevents.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <utility>

#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "daemon/base/errors.h"

namespace p2pd {
namespace {

constexpr uint32_t kFromKernel = 1;  // the multicast group; 2 is udev's
constexpr size_t kLargest = 8192;    // UEVENT_BUFFER_SIZE is 2048

}  // namespace

Uevent ParseUevent(absl::string_view message) {
  absl::string_view subsystem, error_event, slot;
  for (absl::string_view field : absl::StrSplit(message, '\0')) {
    if (absl::ConsumePrefix(&field, "SUBSYSTEM=")) subsystem = field;
    if (absl::ConsumePrefix(&field, "ERROR_EVENT=")) error_event = field;
    if (absl::ConsumePrefix(&field, "PCI_SLOT_NAME=")) slot = field;
  }
  if (subsystem != "pci" && subsystem != "vfio-dev") return {};
  if (error_event.empty()) return {.changed = true};
  if (error_event != "SUCCESSFUL_RECOVERY" && error_event != "FAILED_RECOVERY") return {};
  const auto function = PciAddress::Parse(slot);
  return function.ok() ? Uevent{.recovered = *function} : Uevent{};
}

absl::StatusOr<std::unique_ptr<Uevents>> Uevents::Listen(EventLoop& loop,
                                                         absl::AnyInvocable<void(const Uevent&)> on_uevent) {
  UniqueFd socket(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT));
  if (!socket.valid()) return ErrnoError("socket", "kernel uevents", errno);
  sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = kFromKernel};
  if (bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return ErrnoError("bind", "kernel uevents", errno);
  }
  std::unique_ptr<Uevents> uevents(new Uevents(std::move(socket), std::move(on_uevent)));
  P2PD_ASSIGN_OR_RETURN(uevents->watch_,
                        loop.WatchFd(uevents->socket_, EPOLLIN, [self = uevents.get()](uint32_t) { self->Read(); }));
  return uevents;
}

void Uevents::Read() {
  Uevent all;  // but for recoveries, each of which is told
  for (;;) {
    char bytes[kLargest];
    sockaddr_nl from = {};
    socklen_t size = sizeof(from);
    const ssize_t n = recvfrom(socket_.get(), bytes, sizeof(bytes), 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (n < 0 && errno == ENOBUFS) {
      all.missed = true;
      continue;
    }
    if (n < 0) break;
    if (from.nl_pid != 0) continue;  // only the kernel has the port 0; others may send here, too
    const Uevent one = ParseUevent({bytes, static_cast<size_t>(n)});
    all.changed |= one.changed;
    if (one.recovered.has_value()) on_uevent_(one);
  }
  if (all.missed || all.changed) on_uevent_(all);
}

}  // namespace p2pd
