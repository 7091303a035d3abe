// Hears the kernel's uevents: that devices came, went, or changed their driver. From the kernel itself, not from
// udev, which need not run, and whose rules matter to nobody here.
#ifndef P2PD_DAEMON_SERVICE_UEVENTS_H_
#define P2PD_DAEMON_SERVICE_UEVENTS_H_

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/base/unique_fd.h"
#include "daemon/service/event_loop.h"

namespace p2pd {

class Uevents {
 public:
  // Calls `on_change` on the loop's thread after each that concerns PCI functions or VFIO's character devices, and
  // when some were missed. On the loop's thread, or before it runs.
  static absl::StatusOr<std::unique_ptr<Uevents>> Listen(EventLoop& loop, absl::AnyInvocable<void()> on_change);

 private:
  Uevents(UniqueFd socket, absl::AnyInvocable<void()> on_change)
      : socket_(std::move(socket)), on_change_(std::move(on_change)) {}
  void Read();

  const UniqueFd socket_;
  absl::AnyInvocable<void()> on_change_;
  EventLoop::Watch watch_;
};

// Of one message: "add@/devices/...", then NAME=VALUE, each with a 0 at its end (lib/kobject_uevent.c).
bool ConcernsDevices(absl::string_view message);

}  // namespace p2pd

#endif  // P2PD_DAEMON_SERVICE_UEVENTS_H_
