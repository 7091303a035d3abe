// p2pctl as a function: words in, text and an exit status out.
#ifndef P2PD_CLIENT_P2PCTL_P2PCTL_H_
#define P2PD_CLIENT_P2PCTL_P2PCTL_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/p2pctl/context.h"

namespace p2p::ctl {

// A promise to scripts; p2pctl(1) and --help list it too.
enum class ExitStatus {
  kOk = 0,
  kFailed = 1,
  kUsage = 2,
  kNoConnection = 3,
  kDenied = 4,
  kNotFound = 5,
  kTimeout = 6,
};

// Of a command that ended with `status`; usage errors are not among them.
ExitStatus ExitStatusOf(const absl::Status& status);

// `words` without the program's name.
ExitStatus RunP2pctl(const std::vector<std::string>& words, Console& console);

}  // namespace p2p::ctl

#endif  // P2PD_CLIENT_P2PCTL_P2PCTL_H_
