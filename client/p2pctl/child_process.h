// A command with descriptors, passed as systemd passes sockets: from 3 on, counted and named in LISTEN_FDS,
// LISTEN_PID and LISTEN_FDNAMES. Nothing else that p2pctl has open reaches it.
#ifndef P2PD_CLIENT_P2PCTL_CHILD_PROCESS_H_
#define P2PD_CLIENT_P2PCTL_CHILD_PROCESS_H_

#include <signal.h>
#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/base/unique_fd.h"

namespace p2p::ctl {

struct PassedFd {
  std::string name;  // without a colon
  int fd = -1;       // borrowed
};

struct ChildOptions {
  std::vector<std::string> command;  // the first is looked up in PATH
  std::vector<PassedFd> fds;
  std::vector<std::string> environment;  // "NAME=VALUE", beside p2pctl's own
  sigset_t signal_mask = {};
};

class ChildProcess {
 public:
  // The command runs when it returns; it gets SIGTERM should this process die first. Errors: the errno of the
  // exec; NotFound for a command that there is not.
  static absl::StatusOr<ChildProcess> Start(const ChildOptions& options);

  // Becomes readable when the command has ended.
  p2pd::FdRef pidfd() const { return pidfd_; }
  pid_t pid() const { return pid_; }
  // Nothing once it has ended.
  void Signal(int number) const;
  // Waits for its end. As shells tell it: the exit status, or 128 and the number of the signal. Once.
  int Wait();

 private:
  ChildProcess(pid_t pid, p2pd::UniqueFd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}

  pid_t pid_;
  p2pd::UniqueFd pidfd_;
};

}  // namespace p2p::ctl

#endif  // P2PD_CLIENT_P2PCTL_CHILD_PROCESS_H_
