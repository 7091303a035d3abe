#include "client/p2pctl/p2pctl.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/error.h"
#include "client/p2pctl/command_line.h"
#include "client/p2pctl/commands.h"

namespace p2p::ctl {
namespace {

// The message without the hint that it ends with, then the hint on a line of its own.
void PrintError(const absl::Status& status, Console& console) {
  const std::string hint = GetErrorDetail(status).hint();
  absl::string_view message = status.message();
  if (!hint.empty()) absl::ConsumeSuffix(&message, absl::StrCat(" (", hint, ")"));
  console.err << "p2pctl: " << message << "\n";
  if (!hint.empty()) console.err << "Hint: " << hint << "\n";
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
    PrintError(line.status(), console);
    return ExitStatus::kUsage;
  }
  absl::Status status;
  if (line->command == nullptr) {
    console.out << line->text;
  } else {
    Context context(line->options, console);
    status = line->command->run(context, line->arguments);
  }
  console.out.flush();
  if (status.ok() && !console.out.good()) status = absl::InternalError("the output could not be written");
  if (!status.ok()) PrintError(status, console);
  return ExitStatusOf(status);
}

}  // namespace p2p::ctl
