#include "client/p2pctl/p2pctl.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/error.h"
#include "client/p2pctl/command_line.h"
#include "client/p2pctl/commands.h"
#include "daemon/base/errors.h"

namespace p2p::ctl {
namespace {

// The message without the hint that it ends with, then the hint on a line of its own.
void PrintError(const absl::Status& status, ExitStatus exit_status, bool json, Console& console) {
  if (json) {
    console.err << ErrorAsJson(status, static_cast<int>(exit_status)) << "\n";
    return;
  }
  const std::string hint = GetErrorDetail(status).hint();
  absl::string_view message = status.message();
  if (!hint.empty()) absl::ConsumeSuffix(&message, absl::StrCat(" (", hint, ")"));
  console.err << "p2pctl: " << message << "\n";
  if (!hint.empty()) console.err << "Hint: " << hint << "\n";
}

// Of a command line that is not understood.
bool WantsJson(const std::vector<std::string>& words) {
  const auto dashes = std::find(words.begin(), words.end(), "--");
  return std::find(words.begin(), dashes, "--json") != dashes;
}

// gRPC has no words for it.
absl::Status InWords(absl::Status status) {
  if (!absl::IsUnimplemented(status) || !status.message().empty()) return status;
  return p2pd::MakeError(absl::StatusCode::kUnimplemented, {.hint = "is it older than p2pctl? p2pctl status"},
                         "p2pd does not know this request");
}

ExitStatus Finish(absl::Status status, std::optional<int> chosen, bool json, Console& console) {
  console.out.flush();
  if (status.ok() && !console.out.good()) status = absl::InternalError("the output could not be written");
  const ExitStatus exit_status = chosen.value_or(0) != 0 ? static_cast<ExitStatus>(*chosen) : ExitStatusOf(status);
  if (!status.ok()) PrintError(status, exit_status, json, console);
  return exit_status;
}

}  // namespace

ExitStatus ExitStatusOf(const absl::Status& status) {
  if (status.ok()) return ExitStatus::kOk;
  if (IsDisconnected(status)) return ExitStatus::kNoConnection;
  if (absl::IsPermissionDenied(status) || GetErrorDetail(status).reason() == v1::ErrorDetail::POLICY) {
    return ExitStatus::kDenied;
  }
  if (absl::IsNotFound(status)) return ExitStatus::kNotFound;
  if (absl::IsDeadlineExceeded(status)) return ExitStatus::kTimeout;
  return ExitStatus::kFailed;
}

ExitStatus RunP2pctl(const std::vector<std::string>& words, Console& console) {
  const std::vector<Command> commands = AllCommands();
  const auto line = ParseCommandLine(words, commands);
  if (!line.ok()) {
    PrintError(line.status(), ExitStatus::kUsage, WantsJson(words), console);
    return ExitStatus::kUsage;
  }
  if (line->command == nullptr) {
    console.out << line->text;
    return Finish(absl::OkStatus(), std::nullopt, false, console);
  }
  Context context(line->options, console);
  const absl::Status status = line->command->run(context, line->arguments);
  return Finish(InWords(status), context.exit_status(), context.json(), console);
}

}  // namespace p2p::ctl
