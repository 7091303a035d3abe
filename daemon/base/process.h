// What a process is called, for people.
#ifndef P2PD_DAEMON_BASE_PROCESS_H_
#define P2PD_DAEMON_BASE_PROCESS_H_

#include <sys/types.h>

#include <optional>
#include <string>

namespace p2pd {

// Its name in the process list; "" if it is gone.
std::string CommOf(pid_t pid);

// Its systemd unit: the system's own, for what a user's manager calls the groups below its own is the user's
// word. "" if it has none, or is gone.
std::string UnitOf(pid_t pid);

// What its user's manager calls it; "" if no such manager started it, nullopt if that cannot be told.
std::optional<std::string> UserUnitOf(pid_t pid);

}  // namespace p2pd

#endif  // P2PD_DAEMON_BASE_PROCESS_H_
