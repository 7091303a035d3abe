// Before this process takes anything back, no older one of its service may be left: it could still change what
// the journal says, and the kernel with it. A process that was killed goes on until the kernel has closed its
// descriptors, which with devices can take a while.
#ifndef P2PD_DAEMON_SERVICE_OLDER_INSTANCES_H_
#define P2PD_DAEMON_SERVICE_OLDER_INSTANCES_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace p2pd {

struct OlderInstances {
  std::vector<pid_t> gone;  // those that were waited for
  absl::Duration took;
};

// Blocks until `procs_file`, a cgroup's cgroup.procs, names nobody but this process. Errors: DeadlineExceeded
// (names who is left), and whatever reading it says.
absl::StatusOr<OlderInstances> WaitForOlderInstances(const std::string& procs_file, absl::Duration timeout);

// This process's own cgroup.procs, in the unified hierarchy. `proc_cgroup`: /proc/self/cgroup. Errors: NotFound (no
// unified hierarchy, or this process is in its root, where everybody is).
absl::StatusOr<std::string> OwnProcsFile(const std::string& proc_cgroup = "/proc/self/cgroup",
                                         const std::string& cgroup_root = "/sys/fs/cgroup");

}  // namespace p2pd

#endif  // P2PD_DAEMON_SERVICE_OLDER_INSTANCES_H_
