#include "daemon/service/older_instances.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "daemon/base/errors.h"
#include "daemon/base/unique_fd.h"

namespace p2pd {
namespace {

constexpr absl::Duration kLookAgain = absl::Milliseconds(10);

absl::StatusOr<std::vector<pid_t>> OthersIn(const std::string& procs_file) {
  std::ifstream file(procs_file);
  if (!file) return ErrnoError("open", procs_file, errno);
  std::vector<pid_t> others;
  for (pid_t pid = 0; file >> pid;) {
    // 0: a process that this one cannot see.
    if (pid != getpid()) others.push_back(pid);
  }
  if (!file.eof()) return absl::InternalError(absl::StrCat("read ", procs_file, ": not a list of processes"));
  return others;
}

absl::Status LeftOver(const std::vector<pid_t>& pids) {
  return MakeError(absl::StatusCode::kDeadlineExceeded,
                   {.step = "wait for older instances",
                    .object = absl::StrCat("processes ", absl::StrJoin(pids, ", ")),
                    .hint = "a process that cannot end is waiting for a device, as a rule: see its /proc/PID/stack"},
                   "are still in this service's control group");
}

}  // namespace

absl::StatusOr<OlderInstances> WaitForOlderInstances(const std::string& procs_file, absl::Duration timeout) {
  const absl::Time began = absl::Now();
  OlderInstances older;
  for (;;) {
    P2PD_ASSIGN_OR_RETURN(const std::vector<pid_t> others, OthersIn(procs_file));
    older.took = absl::Now() - began;
    if (others.empty()) return older;
    const absl::Duration left = timeout - older.took;
    if (left <= absl::ZeroDuration()) return LeftOver(others);
    const pid_t pid = others.front();
    // Who has ended leaves the cgroup a moment later: then there is nothing to wait for but the clock. So it is
    // with whoever is gone since the file was read, or cannot be seen from here.
    const bool ended = std::find(older.gone.begin(), older.gone.end(), pid) != older.gone.end();
    const UniqueFd process(ended ? -1 : static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    if (!ended && !process.valid() && errno != ESRCH && errno != EINVAL) {
      return ErrnoError("pidfd_open", absl::StrCat("process ", pid), errno);
    }
    pollfd wait = {.fd = process.get(), .events = POLLIN};
    const absl::Duration most = process.valid() ? left : std::min(left, kLookAgain);
    if (poll(&wait, 1, static_cast<int>(absl::ToInt64Milliseconds(most)) + 1) > 0) older.gone.push_back(pid);
  }
}

absl::StatusOr<std::string> OwnProcsFile(const std::string& proc_cgroup, const std::string& cgroup_root) {
  std::ifstream file(proc_cgroup);
  for (std::string line; std::getline(file, line);) {
    absl::string_view path = line;
    // Of cgroup v2; the others are of v1.
    if (!absl::ConsumePrefix(&path, "0::") || path.empty() || path == "/") continue;
    return absl::StrCat(cgroup_root, path, "/cgroup.procs");
  }
  return absl::NotFoundError(absl::StrCat(proc_cgroup, " names no control group of this service's own"));
}

}  // namespace p2pd
