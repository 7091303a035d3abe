// Processes as descriptors: what is signalled and waited for is that process, never one that got its pid later.
#ifndef P2PD_CLIENT_P2PCTL_PIDFD_H_
#define P2PD_CLIENT_P2PCTL_PIDFD_H_

#include <sys/types.h>

#include "daemon/base/unique_fd.h"

namespace p2p::ctl {

// It is readable once the process has ended. Invalid, with errno, where there is no such process.
p2pd::UniqueFd OpenPidfd(pid_t pid);

// False, with errno, where the process has ended (ESRCH) or is not this user's to signal.
bool SendSignal(p2pd::FdRef pidfd, int number);

}  // namespace p2p::ctl

#endif  // P2PD_CLIENT_P2PCTL_PIDFD_H_
