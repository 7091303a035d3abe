// Hears the kernel's uevents: that devices came, went, or changed their driver, and how its recovery of one from an
// error ended. From the kernel itself, not from udev, which need not run, and whose rules matter to nobody here.
#ifndef P2PD_DAEMON_SERVICE_UEVENTS_H_
#define P2PD_DAEMON_SERVICE_UEVENTS_H_

#include <memory>
#include <optional>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/base/pci_address.h"
#include "daemon/base/unique_fd.h"
#include "daemon/service/event_loop.h"

namespace p2pd {

// What one message says, or that some were missed, which may have said anything.
struct Uevent {
  bool missed = false;
  bool changed = false;                 // PCI functions or VFIO's character devices have come, gone, or changed hands
  std::optional<PciAddress> recovered;  // the kernel's recovery of this function from an error has ended
};

class Uevents {
 public:
  // Calls `on_uevent` on the loop's thread for whatever concerns us; for many at once of the same, perhaps only once.
  // On the loop's thread, or before it runs.
  static absl::StatusOr<std::unique_ptr<Uevents>> Listen(EventLoop& loop,
                                                         absl::AnyInvocable<void(const Uevent&)> on_uevent);

 private:
  Uevents(UniqueFd socket, absl::AnyInvocable<void(const Uevent&)> on_uevent)
      : socket_(std::move(socket)), on_uevent_(std::move(on_uevent)) {}
  void Read();

  const UniqueFd socket_;
  absl::AnyInvocable<void(const Uevent&)> on_uevent_;
  EventLoop::Watch watch_;
};

// Of one message: "add@/devices/...", then NAME=VALUE, each with a 0 at its end (lib/kobject_uevent.c). How a recovery
// ended is told by ERROR_EVENT (drivers/pci/pci-driver.c: pci_uevent_ers).
Uevent ParseUevent(absl::string_view message);

}  // namespace p2pd

#endif  // P2PD_DAEMON_SERVICE_UEVENTS_H_
