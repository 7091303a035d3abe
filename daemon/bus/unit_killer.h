// Has systemd kill a unit, where policy says so. Asked on a connection of its own, so that it works on any thread; each
// call blocks for no longer than the timeout.
#ifndef P2PD_DAEMON_BUS_UNIT_KILLER_H_
#define P2PD_DAEMON_BUS_UNIT_KILLER_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace p2pd {

struct UnitKillerOptions {
  std::string address = "";   // "": the system bus
  std::string own_unit = "";  // that of this process, if it is in any
  absl::Duration timeout = absl::Seconds(10);
};

class UnitKiller {
 public:
  explicit UnitKiller(UnitKillerOptions options) : options_(std::move(options)) {}

  // SIGKILL to all of the unit's processes. Ok: systemd has sent it. Errors: those of CheckKillable; Unavailable (no
  // bus, no systemd, or systemd refuses, with what it says).
  absl::Status Kill(const std::string& unit) const;

 private:
  const UnitKillerOptions options_;
};

// Whether a unit may be killed by a process whose own unit is `own`. Errors: FailedPrecondition, for none at all, for
// `own`, for what is or contains more than one program: init.scope, user@.service, and whatever is no service or scope.
absl::Status CheckKillable(absl::string_view unit, absl::string_view own);

}  // namespace p2pd

#endif  // P2PD_DAEMON_BUS_UNIT_KILLER_H_
