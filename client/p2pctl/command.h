// A command of p2pctl, as data: the command line is parsed, explained and completed from this.
#ifndef P2PD_CLIENT_P2PCTL_COMMAND_H_
#define P2PD_CLIENT_P2PCTL_COMMAND_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/p2pctl/context.h"

namespace p2p::ctl {

// What a command was given.
struct Arguments {
  std::string object;                       // the operand, as the API names it
  std::map<std::string, uint64_t> options;  // "--count" -> 3; 1 for a switch

  // 0 where it was not given.
  uint64_t Option(const std::string& name) const {
    const auto option = options.find(name);
    return option == options.end() ? 0 : option->second;
  }
};

struct Operand {
  std::string placeholder;  // "BDF"
  std::string help;
  absl::StatusOr<std::string> (*parse)(absl::string_view typed);
};

struct CommandOption {
  std::string name;         // "--count"
  std::string placeholder;  // "N": takes a number above 0; "": a switch
  std::string help;
};

struct Command {
  std::string name;  // one word, or two: "device show"
  std::string help;
  std::optional<Operand> operand;
  std::vector<CommandOption> options;
  absl::Status (*run)(Context& context, const Arguments& arguments);
};

}  // namespace p2p::ctl

#endif  // P2PD_CLIENT_P2PCTL_COMMAND_H_
