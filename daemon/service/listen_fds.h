// Descriptors that the service manager passed to this process, by name (systemd's LISTEN_FDS).
#ifndef P2PD_DAEMON_SERVICE_LISTEN_FDS_H_
#define P2PD_DAEMON_SERVICE_LISTEN_FDS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/base/unique_fd.h"

namespace p2pd {

struct NamedFd {
  std::string name;
  UniqueFd fd;
};

// All of them, close-on-exec, in the manager's order. Call once, before the first thread: the environment's
// variables are taken away, so that no child believes them.
absl::StatusOr<std::vector<NamedFd>> TakeListenFds();

}  // namespace p2pd

#endif  // P2PD_DAEMON_SERVICE_LISTEN_FDS_H_
