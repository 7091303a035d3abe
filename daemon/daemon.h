// p2pd from its flags to its exit code: builds the parts in the order in which they need each other, runs
// the loop, and takes everything down again, sessions first.
#ifndef P2PD_DAEMON_DAEMON_H_
#define P2PD_DAEMON_DAEMON_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "daemon/flags.h"
#include "daemon/service/listen_fds.h"

namespace p2pd {

// Serves until SIGTERM or SIGINT, which must be blocked. `inherited` are the service manager's descriptors.
absl::Status RunDaemon(const Flags& flags, const std::string& version, std::vector<NamedFd> inherited);

}  // namespace p2pd

#endif  // P2PD_DAEMON_DAEMON_H_
