// From the words of a command line to a command and its arguments, or to text that explains. The only user of
// CLI11; none of its exceptions gets out.
#ifndef P2PD_CLIENT_P2PCTL_COMMAND_LINE_H_
#define P2PD_CLIENT_P2PCTL_COMMAND_LINE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/p2pctl/command.h"
#include "client/p2pctl/context.h"

namespace p2p::ctl {

struct CommandLine {
  std::string text;                  // of --help or --version; then there is no command
  const Command* command = nullptr;  // one of `commands`
  Arguments arguments;
  GlobalOptions options;
};

// `words` without the program's name. Errors: InvalidArgument, what is wrong, with a hint at what is right.
absl::StatusOr<CommandLine> ParseCommandLine(const std::vector<std::string>& words,
                                             const std::vector<Command>& commands);

}  // namespace p2p::ctl

#endif  // P2PD_CLIENT_P2PCTL_COMMAND_LINE_H_
