// p2pctl as a function: words in, text and an exit status out.
#ifndef P2PD_CLIENT_P2PCTL_P2PCTL_H_
#define P2PD_CLIENT_P2PCTL_P2PCTL_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/p2pctl/context.h"
#include "client/p2pctl/exit_status.h"

namespace p2p::ctl {

// Of a command that ended with `status`; usage errors are not among them.
ExitStatus ExitStatusOf(const absl::Status& status);

// `words` without the program's name.
ExitStatus RunP2pctl(const std::vector<std::string>& words, Console& console);

}  // namespace p2p::ctl

#endif  // P2PD_CLIENT_P2PCTL_P2PCTL_H_
