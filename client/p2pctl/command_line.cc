#include "client/p2pctl/command_line.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/p2pctl/names.h"
#include "daemon/base/errors.h"
#include "daemon/base/version.h"

namespace p2p::ctl {
namespace {

constexpr char kDescription[] = "Shows and steers p2pd, the broker of PCI peer-to-peer access.";
constexpr char kFooter[] = R"(Exit status:
  0  done
  1  the request failed
  2  wrong usage
  3  no connection to p2pd
  4  denied by policy
  5  no such object
  6  no answer in time
run: the exit status of COMMAND, 128+N if signal N ended it; 126 if it cannot
be executed, 127 if there is no such command

See p2pctl(1).)";
constexpr char kCommandFooter[] = "Options of every command, and the exit status: p2pctl --help";

absl::Status UsageError(absl::string_view what, absl::string_view hint) {
  return p2pd::MakeError(absl::StatusCode::kInvalidArgument,
                         {.reason = p2pd::Reason::kInvalidArgument, .hint = std::string(hint)}, what);
}

// The command line as CLI11 sees it, and what it writes into.
struct Parser {
  CLI::App app{kDescription, "p2pctl"};
  CommandLine result;
  std::string operand;
  std::map<std::string, std::string> optional_operands;  // by placeholder
  std::vector<std::string> operands;
  std::map<const Command*, std::map<std::string, uint64_t>> numbers;
  std::map<const Command*, std::map<std::string, std::vector<std::string>>> values;
  double timeout = 0;
};

// CLI11's own would put ranges of 300 digits into their refusals, and notes of theirs into the help.
CLI::Validator Check(bool (*accepts)(const std::string& text), const char* wanted) {
  return CLI::Validator(
      [accepts, wanted](std::string& text) {
        return accepts(text) ? std::string() : absl::StrCat("'", text, "' is not ", wanted);
      },
      "");
}

bool IsWhen(const std::string& text) { return text == "auto" || text == "always" || text == "never"; }

bool IsSeconds(const std::string& text) {
  double seconds = 0;
  return absl::SimpleAtod(text, &seconds) && seconds > 0 && seconds <= 1e6;
}

bool IsCount(const std::string& text) {
  uint64_t count = 0;
  return absl::SimpleAtoi(text, &count) && count > 0;
}

void AddGlobalOptions(Parser& parser) {
  GlobalOptions& options = parser.result.options;
  CLI::App& app = parser.app;
  parser.timeout = absl::ToDoubleSeconds(options.timeout);
  app.add_flag("--json", options.json, "Write JSON: one document, or one a line for watch");
  app.add_flag("--no-legend", options.no_legend, "Write tables without their header");
  app.add_option("--color", options.color, "auto, always or never (default: auto)")
      ->check(Check(IsWhen, "auto, always or never"))
      ->type_name("WHEN");
  app.add_option("--timeout", parser.timeout, "Give up on p2pd after this time (default: 120)")
      ->check(Check(IsSeconds, "a number of seconds above 0"))
      ->type_name("SECONDS");
  app.add_option("--fd-socket", options.fd_socket, absl::StrCat("p2pd's fd channel (default: ", options.fd_socket, ")"))
      ->type_name("PATH");
  app.add_option("--grpc-socket", options.grpc_socket,
                 absl::StrCat("p2pd's gRPC socket (default: ", options.grpc_socket, ")"))
      ->type_name("PATH");
  app.set_version_flag("--version", absl::StrCat("p2pctl ", p2pd::kVersion), "Show the version");
}

void AddCommandOption(Parser& parser, const Command& command, const CommandOption& option, CLI::App& app) {
  if (option.parse != nullptr) {
    app.add_option(option.name, parser.values[&command][option.name], option.help)
        ->allow_extra_args(false)  // one value each time
        ->type_name(option.placeholder);
    return;
  }
  uint64_t& number = parser.numbers[&command][option.name];
  if (option.placeholder.empty()) {
    app.add_flag(option.name, number, option.help);
  } else {
    app.add_option(option.name, number, option.help)
        ->check(Check(IsCount, "a whole number above 0"))
        ->type_name(option.placeholder);
  }
}

// The command `name` among those of `app`; null if there is none.
CLI::App* Find(CLI::App& app, const std::string& name) {
  const auto found = app.get_subcommands([&name](CLI::App* command) { return command->get_name() == name; });
  return found.empty() ? nullptr : found.front();
}

std::string FullName(const CLI::App& app) {
  return app.get_parent() == nullptr ? app.get_name() : absl::StrCat(FullName(*app.get_parent()), " ", app.get_name());
}

void AddOperand(Parser& parser, const Command& command, CLI::App& app) {
  if (!command.operand.has_value()) return;
  const Operand& operand = *command.operand;
  if (operand.any_number) {
    app.add_option(operand.placeholder, parser.operands, operand.help)->type_name("");
  } else {
    app.add_option(operand.placeholder, parser.operand, operand.help)->required()->type_name("");
  }
}

void AddCommand(Parser& parser, const Command& command) {
  const std::vector<std::string> words = absl::StrSplit(command.name, ' ');
  CLI::App* app = &parser.app;
  for (size_t i = 0; i < words.size(); ++i) {
    CLI::App* parent = app;
    const bool last = i + 1 == words.size();
    const std::string help = last ? command.help : absl::StrCat(words[i + 1], ": ", command.help);
    app = Find(*parent, words[i]);
    if (app != nullptr) {
      app->description(absl::StrCat(app->get_description(), "; ", help));
      continue;
    }
    app = parent->add_subcommand(words[i], help);
    app->group("Commands")->footer(kCommandFooter);
    if (!last) app->require_subcommand(1);
  }
  app->callback([&parser, &command] { parser.result.command = &command; });
  AddOperand(parser, command, *app);
  for (const Operand& operand : command.optional_operands) {
    app->add_option(operand.placeholder, parser.optional_operands[operand.placeholder], operand.help)->type_name("");
  }
  if (!command.trailing.empty()) {
    app->footer(absl::StrCat("In full: ", FullName(*app), " [OPTIONS] -- ", command.trailing, "\n", kCommandFooter));
  }
  for (const CommandOption& option : command.options) AddCommandOption(parser, command, option, *app);
}

// The innermost command that was named, and what one may say after it.
const CLI::App& Innermost(const CLI::App& app) {
  const auto named = app.get_subcommands();
  return named.empty() ? app : Innermost(*named.back());
}

std::vector<std::string> OptionNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* at = &app; at != nullptr; at = at->get_parent()) {
    for (const CLI::Option* option : at->get_options()) {
      if (option->nonpositional()) names.push_back(absl::StrCat("--", option->get_single_name()));
    }
  }
  return names;
}

std::vector<std::string> CommandNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  return names;
}

absl::Status DidYouMean(absl::string_view what, const std::string& word, const CLI::App& app,
                        const std::vector<std::string>& candidates) {
  const std::string nearest = Nearest(word, candidates);
  const std::string hint = nearest.empty() ? absl::StrCat(FullName(app), " --help tells what there is")
                                           : absl::StrCat("did you mean '", nearest, "'?");
  return UsageError(absl::StrCat(what, " '", word, "'"), hint);
}

bool TakesTrailing(const CLI::App& app, const std::vector<Command>& known) {
  const auto is_it = [&](const Command& command) {
    return !command.trailing.empty() && FullName(app) == absl::StrCat("p2pctl ", command.name);
  };
  return std::any_of(known.begin(), known.end(), is_it);
}

// Says what is wrong in p2pctl's own words where they are better than CLI11's.
absl::Status Explain(const CLI::App& app, const std::vector<Command>& known, const CLI::ParseError& error) {
  const CLI::App& innermost = Innermost(app);
  const std::vector<std::string> commands = CommandNames(innermost);
  const std::vector<std::string> extras = app.remaining(/*recurse=*/true);
  if (!extras.empty() && absl::StartsWith(extras[0], "-")) {
    return DidYouMean("unknown option", extras[0].substr(0, extras[0].find('=')), innermost, OptionNames(innermost));
  }
  if (!extras.empty() && !commands.empty()) return DidYouMean("unknown command", extras[0], innermost, commands);
  if (!extras.empty() && TakesTrailing(innermost, known)) {
    return UsageError(absl::StrCat("unexpected argument '", extras[0], "'"), "the command to run stands after --");
  }
  if (!extras.empty()) return DidYouMean("unexpected argument", extras[0], innermost, {});
  const std::string help = absl::StrCat(FullName(innermost), " --help tells how");
  if (!commands.empty() && dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
    return UsageError("a command is missing", absl::StrCat("one of ", absl::StrJoin(commands, ", ")));
  }
  return UsageError(error.what(), help);
}

// The texts that were typed, as the API wants them.
absl::Status ParseArguments(Parser& parser) {
  CommandLine& result = parser.result;
  const Command& command = *result.command;
  result.arguments.numbers = parser.numbers[&command];
  if (command.operand.has_value() && !command.operand->any_number) {
    P2PD_ASSIGN_OR_RETURN(result.arguments.object, command.operand->parse(parser.operand));
  }
  for (const Operand& operand : command.optional_operands) {
    const std::string& typed = parser.optional_operands[operand.placeholder];
    if (typed.empty() && result.arguments.objects.empty()) break;
    if (typed.empty()) {
      return UsageError(absl::StrCat(operand.placeholder, " is missing"),
                        absl::StrCat("p2pctl ", command.name, " --help tells how"));
    }
    P2PD_ASSIGN_OR_RETURN(result.arguments.objects.emplace_back(), operand.parse(typed));
  }
  for (const std::string& operand : parser.operands) {
    P2PD_ASSIGN_OR_RETURN(std::string object, command.operand->parse(operand));
    result.arguments.objects.push_back(std::move(object));
  }
  for (const CommandOption& option : command.options) {
    for (const std::string& typed : parser.values[&command][option.name]) {
      P2PD_ASSIGN_OR_RETURN(std::string value, option.parse(typed));
      result.arguments.values[option.name].push_back(std::move(value));
    }
  }
  if (!command.trailing.empty() && result.arguments.trailing.empty()) {
    return UsageError("the command to run is missing", absl::StrCat("p2pctl ", command.name, " -- ", command.trailing));
  }
  if (command.trailing.empty() && !result.arguments.trailing.empty()) {
    return UsageError(absl::StrCat("unexpected argument '", result.arguments.trailing[0], "'"),
                      absl::StrCat("p2pctl ", command.name, " --help tells how"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<CommandLine> ParseCommandLine(const std::vector<std::string>& words,
                                             const std::vector<Command>& commands) {
  Parser parser;
  parser.app.require_subcommand(1);
  parser.app.fallthrough();  // global options may follow the command
  parser.app.footer(kFooter);
  parser.app.get_formatter()->label("SUBCOMMAND", "COMMAND");
  AddGlobalOptions(parser);
  for (const Command& command : commands) AddCommand(parser, command);
  const auto dashes = std::find(words.begin(), words.end(), "--");
  if (dashes != words.end()) parser.result.arguments.trailing.assign(dashes + 1, words.end());
  try {
    parser.app.parse(std::vector<std::string>(std::make_reverse_iterator(dashes), words.rend()));
  } catch (const CLI::CallForHelp&) {
    parser.result.command = nullptr;
    parser.result.text = parser.app.help();
    return std::move(parser.result);
  } catch (const CLI::CallForVersion& version) {
    parser.result.command = nullptr;
    parser.result.text = absl::StrCat(version.what(), "\n");
    return std::move(parser.result);
  } catch (const CLI::ParseError& error) {
    return Explain(parser.app, commands, error);
  }
  parser.result.options.timeout = absl::Seconds(parser.timeout);
  P2PD_RETURN_IF_ERROR(ParseArguments(parser));
  return std::move(parser.result);
}

}  // namespace p2p::ctl
