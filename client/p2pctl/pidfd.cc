#include "client/p2pctl/pidfd.h"

// glibc 2.36 declares them without C linkage.
extern "C" {
#include <sys/pidfd.h>
}

namespace p2p::ctl {

p2pd::UniqueFd OpenPidfd(pid_t pid) { return p2pd::UniqueFd(pidfd_open(pid, 0)); }

bool SendSignal(p2pd::FdRef pidfd, int number) { return pidfd_send_signal(pidfd.get(), number, nullptr, 0) == 0; }

}  // namespace p2p::ctl
