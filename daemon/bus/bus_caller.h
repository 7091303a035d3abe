// Who made a D-Bus call, by the word of the bus, which asked the kernel when the caller connected; nothing here comes
// from the caller. Its groups are those that the bus tells (dbus-daemon 1.13 and later, dbus-broker): without them
// nobody is identified.
//
// Its unit and command are read under /proc by the number that the bus gives, which is as good as that number: whoever
// passes a connection on and ends is refused, unless the number is taken again by a process of the same user.
#ifndef P2PD_DAEMON_BUS_BUS_CALLER_H_
#define P2PD_DAEMON_BUS_BUS_CALLER_H_

#include <systemd/sd-bus.h>

#include "absl/status/statusor.h"
#include "daemon/core/types.h"

namespace p2pd {

// `credentials`: the bus' answer to GetConnectionCredentials. Errors: PermissionDenied (it does not say enough),
// Unavailable (the process has ended).
absl::StatusOr<PeerIdentity> ReadCaller(sd_bus_message* credentials);

}  // namespace p2pd

#endif  // P2PD_DAEMON_BUS_BUS_CALLER_H_
