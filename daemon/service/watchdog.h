// The service manager's watchdog (WatchdogSec=): p2pd says that it lives for as long as its loop turns and `check`
// returns, which is to ask core something. What hangs beyond those two, a kernel call on a strand, takes longer and
// is told, but is no reason to be killed.
#ifndef P2PD_DAEMON_SERVICE_WATCHDOG_H_
#define P2PD_DAEMON_SERVICE_WATCHDOG_H_

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/service/event_loop.h"

namespace p2pd {

class Watchdog {
 public:
  // Of a manager that waits for no sign of life there is none: nullptr. The loop outlives the watchdog.
  static absl::StatusOr<std::unique_ptr<Watchdog>> Start(EventLoop& loop, std::function<void()> check);

 private:
  Watchdog(EventLoop& loop, std::function<void()> check, absl::Duration interval);
  absl::Status Arm();

  EventLoop& loop_;
  const std::function<void()> check_;
  const absl::Duration interval_;
  EventLoop::Watch timer_;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_SERVICE_WATCHDOG_H_
