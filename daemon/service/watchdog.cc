#include "daemon/service/watchdog.h"

#include <systemd/sd-daemon.h>

#include <cstdint>
#include <utility>

#include "daemon/base/errors.h"

namespace p2pd {

absl::StatusOr<std::unique_ptr<Watchdog>> Watchdog::Start(EventLoop& loop, std::function<void()> check) {
  uint64_t usec = 0;
  const int enabled = sd_watchdog_enabled(/*unset_environment=*/1, &usec);
  if (enabled < 0) return ErrnoError("sd_watchdog_enabled", "", -enabled);
  if (enabled == 0) return nullptr;
  // Twice in the manager's time: one late turn of the loop is forgiven.
  std::unique_ptr<Watchdog> watchdog(new Watchdog(loop, std::move(check), absl::Microseconds(usec) / 2));
  P2PD_RETURN_IF_ERROR(watchdog->Arm());
  return watchdog;
}

Watchdog::Watchdog(EventLoop& loop, std::function<void()> check, absl::Duration interval)
    : loop_(loop), check_(std::move(check)), interval_(interval) {}

absl::Status Watchdog::Arm() {
  P2PD_ASSIGN_OR_RETURN(timer_, loop_.After(interval_, [this] {
    check_();
    sd_notify(0, "WATCHDOG=1");
    // Without a timer there is no next sign of life, and the manager does what it is for.
    Arm().IgnoreError();
  }));
  return absl::OkStatus();
}

}  // namespace p2pd
