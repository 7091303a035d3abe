// `p2pctl reset BDF`, `p2pctl device recover BDF` and `p2pctl revoke NAME`: taking away what others use. All show each
// step while p2pd is at it, then the receipt.
#include <optional>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/p2pctl/commands.h"
#include "client/p2pctl/exit_status.h"
#include "client/p2pctl/names.h"
#include "client/p2pctl/progress.h"
#include "client/p2pctl/receipt.h"
#include "daemon/base/errors.h"

namespace p2p::ctl {
namespace {

constexpr size_t kMaxReason = 256;  // as in RevokeSessionRequest

absl::Status BadWord(absl::string_view option, absl::string_view typed, absl::string_view right) {
  return p2pd::MakeError(absl::StatusCode::kInvalidArgument,
                         {.reason = p2pd::Reason::kInvalidArgument, .hint = absl::StrCat("write ", right)},
                         absl::StrCat(option, ": there is no '", typed, "'"));
}

absl::StatusOr<std::string> ScopeText(absl::string_view typed) {
  if (typed == "function" || typed == "bus") return std::string(typed);
  return BadWord("--scope", typed, "function or bus");
}

absl::StatusOr<std::string> WhenText(absl::string_view typed) {
  if (typed == "auto" || typed == "always" || typed == "never") return std::string(typed);
  return BadWord("--progress", typed, "auto, always or never");
}

// Of an option that counts once, the last.
std::string LastOf(const Arguments& arguments, const std::string& option, const std::string& otherwise) {
  const std::vector<std::string> values = arguments.Values(option);
  return values.empty() ? otherwise : values.back();
}

// Whether the steps are told while p2pd is at it. Nothing stands beside JSON.
absl::StatusOr<bool> WantsProgress(Context& context, const Arguments& arguments) {
  const std::string when = LastOf(arguments, "--progress", "auto");
  if (when != "always") return when == "auto" && context.progress_terminal() && !context.json();
  if (!context.json()) return true;
  context.ExitWith(static_cast<int>(ExitStatus::kUsage));
  return p2pd::MakeError(
      absl::StatusCode::kInvalidArgument,
      {.reason = p2pd::Reason::kInvalidArgument, .hint = "p2pctl operations --follow --json tells each step as JSON"},
      "--progress=always and --json exclude each other");
}

// Makes the call, tells its steps if they are wanted, and reports what was done; `what` is for errors.
absl::Status Do(Context& context, const Arguments& arguments, Session& session, Progress::Subject subject,
                absl::string_view what, absl::FunctionRef<absl::StatusOr<v1::Operation>()> call) {
  P2PD_ASSIGN_OR_RETURN(const bool progress_wanted, WantsProgress(context, arguments));
  std::optional<Progress> progress;
  if (progress_wanted) progress.emplace(context, session, std::move(subject));
  const absl::StatusOr<v1::Operation> operation = call();
  if (progress.has_value() && operation.ok()) progress->Finish(*operation);
  progress.reset();
  if (!operation.ok()) return operation.status();
  return ReportDone(context, *operation, what);
}

absl::Status Reset(Context& context, const Arguments& arguments) {
  const auto scope = LastOf(arguments, "--scope", "function") == "bus" ? v1::ResetDeviceRequest::BUS
                                                                       : v1::ResetDeviceRequest::FUNCTION;
  const std::string& name = arguments.object;
  P2PD_ASSIGN_OR_RETURN(const auto session, context.Connect());
  return Do(context, arguments, *session, {.kind = v1::Operation::RESET, .device = name},
            absl::StrCat("the reset of ", name), [&] { return session->ResetDevice(name, scope); });
}

absl::Status Recover(Context& context, const Arguments& arguments) {
  const std::string& name = arguments.object;
  P2PD_ASSIGN_OR_RETURN(const auto session, context.Connect());
  return Do(context, arguments, *session, {.kind = v1::Operation::RECOVERY, .device = name},
            absl::StrCat("the recovery of ", name), [&] { return session->RecoverDevice(name); });
}

absl::StatusOr<std::string> ReasonText(absl::string_view typed) {
  if (typed.size() <= kMaxReason) return std::string(typed);
  return p2pd::MakeError(absl::StatusCode::kInvalidArgument,
                         {.reason = p2pd::Reason::kInvalidArgument, .hint = "write at most 256 bytes"},
                         absl::StrCat("--reason: ", typed.size(), " bytes are too many"));
}

absl::Status Revoke(Context& context, const Arguments& arguments) {
  const std::string reason = LastOf(arguments, "--reason", "");
  const std::string& name = arguments.object;
  const std::string what = absl::StrCat("the revocation of ", name);
  P2PD_ASSIGN_OR_RETURN(const auto session, context.Connect());
  if (absl::StartsWith(name, "sessions/")) {
    return Do(context, arguments, *session, {.kind = v1::Operation::SESSION_END}, what,
              [&] { return session->RevokeSession(name, reason); });
  }
  return Do(context, arguments, *session, {.kind = v1::Operation::RELEASE}, what,
            [&] { return session->RevokeExport(name, reason); });
}

}  // namespace

std::vector<Command> RevocationCommands() {
  const Operand address = {
      .placeholder = "BDF", .help = "The device's address: 0000:01:00.0 or 01:00.0", .parse = DeviceName};
  const Operand name = {.placeholder = "NAME", .help = "sessions/7 or exports/12", .parse = RevocableName};
  const CommandOption progress = {.name = "--progress",
                                  .placeholder = "WHEN",
                                  .help = "Each step on stderr: auto, always or never (default: auto)",
                                  .parse = WhenText};
  return {{.name = "reset",
           .help = "Stop a device's users, reset it, put their mappings back",
           .operand = address,
           .options = {{.name = "--scope",
                        .placeholder = "SCOPE",
                        .help = "function, or bus: with all that share its slot or bus (default: function)",
                        .parse = ScopeText},
                       progress},
           .run = Reset},
          {.name = "device recover",
           .help = "Try again to make a FAULTED device work",
           .operand = address,
           .options = {progress},
           .run = Recover},
          {.name = "revoke",
           .help = "End a session, or take an export away, without asking",
           .operand = name,
           .options = {{.name = "--reason",
                        .placeholder = "TEXT",
                        .help = "Why: for those concerned, and the receipt",
                        .parse = ReasonText},
                       progress},
           .run = Revoke}};
}

}  // namespace p2p::ctl
