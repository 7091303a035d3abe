// p2pd from its settings to its exit code: builds the parts in the order in which they need each other, runs
// the loop, and takes everything down again, sessions first.
#ifndef P2PD_DAEMON_DAEMON_H_
#define P2PD_DAEMON_DAEMON_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/config/settings.h"
#include "daemon/flags.h"
#include "daemon/service/listen_fds.h"

namespace p2pd {

// Reads what p2pd would run with and starts nothing: the settings, as the text of a configuration file.
absl::StatusOr<std::string> CheckConfig(const Flags& flags);

// Serves until SIGTERM or SIGINT, which must be blocked. `inherited` are the service manager's descriptors.
absl::Status RunDaemon(const Flags& flags, const Settings& settings, const std::string& version,
                       std::vector<NamedFd> inherited);

}  // namespace p2pd

#endif  // P2PD_DAEMON_DAEMON_H_
