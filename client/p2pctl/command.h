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
  std::string object;                                      // the operand, as the API names it
  std::vector<std::string> objects;                        // optional or repeated operands, likewise
  std::map<std::string, uint64_t> numbers;                 // "--count" -> 3; 1 for a switch
  std::map<std::string, std::vector<std::string>> values;  // "--drive" -> each value, parsed, in order
  std::vector<std::string> trailing;                       // what stood after "--"

  // 0 where it was not given.
  uint64_t Number(const std::string& name) const {
    const auto number = numbers.find(name);
    return number == numbers.end() ? 0 : number->second;
  }
  bool Has(const std::string& name) const { return Number(name) != 0; }
  // None where it was not given.
  std::vector<std::string> Values(const std::string& name) const {
    const auto found = values.find(name);
    return found == values.end() ? std::vector<std::string>() : found->second;
  }
};

// What somebody typed, as the API wants it. Errors: InvalidArgument, with what would be right.
using ParseText = absl::StatusOr<std::string> (*)(absl::string_view typed);

struct Operand {
  std::string placeholder;  // "BDF"
  std::string help;
  ParseText parse;
  bool any_number = false;  // none, one or more
};

struct CommandOption {
  std::string name;         // "--count"
  std::string placeholder;  // "" for a switch
  std::string help;
  ParseText parse = nullptr;  // of a text that may be given more than once; null: one number above 0
};

struct Command {
  std::string name;  // one word, or two: "device show"
  std::string help;
  std::optional<Operand> operand;
  std::vector<CommandOption> options;
  std::string trailing;  // "COMMAND [ARGUMENT...]": what must follow a "--"; "" for nothing
  absl::Status (*run)(Context& context, const Arguments& arguments);
  std::vector<Operand> optional_operands = {};  // all of them or none
};

}  // namespace p2p::ctl

#endif  // P2PD_CLIENT_P2PCTL_COMMAND_H_
