// How p2pctl ends.
#ifndef P2PD_CLIENT_P2PCTL_EXIT_STATUS_H_
#define P2PD_CLIENT_P2PCTL_EXIT_STATUS_H_

namespace p2p::ctl {

// A promise to scripts; p2pctl(1) and --help list it too. `run` ends as its command does, with any value.
enum class ExitStatus {
  kOk = 0,
  kFailed = 1,
  kUsage = 2,
  kNoConnection = 3,
  kDenied = 4,
  kNotFound = 5,
  kTimeout = 6,
  kNotExecutable = 126,
  kNoCommand = 127,
};

}  // namespace p2p::ctl

#endif  // P2PD_CLIENT_P2PCTL_EXIT_STATUS_H_
