// `p2pctl reset BDF` and `p2pctl revoke NAME`: taking away what others use. Both show the receipt.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/p2pctl/commands.h"
#include "client/p2pctl/names.h"
#include "client/p2pctl/receipt.h"
#include "daemon/base/errors.h"

namespace p2p::ctl {
namespace {

constexpr size_t kMaxReason = 256;  // as in RevokeSessionRequest

absl::Status Reset(Context& context, const Arguments& arguments) {
  P2PD_ASSIGN_OR_RETURN(const auto session, context.Connect());
  P2PD_ASSIGN_OR_RETURN(const v1::Operation operation, session->ResetDevice(arguments.object));
  return ReportDone(context, operation, absl::StrCat("the reset of ", arguments.object));
}

absl::StatusOr<std::string> ReasonText(absl::string_view typed) {
  if (typed.size() <= kMaxReason) return std::string(typed);
  return p2pd::MakeError(absl::StatusCode::kInvalidArgument,
                         {.reason = p2pd::Reason::kInvalidArgument, .hint = "write at most 256 bytes"},
                         absl::StrCat("--reason: ", typed.size(), " bytes are too many"));
}

absl::Status Revoke(Context& context, const Arguments& arguments) {
  const std::vector<std::string> reasons = arguments.Values("--reason");
  const std::string reason = reasons.empty() ? "" : reasons.back();
  const std::string& name = arguments.object;
  P2PD_ASSIGN_OR_RETURN(const auto session, context.Connect());
  P2PD_ASSIGN_OR_RETURN(const v1::Operation operation, absl::StartsWith(name, "sessions/")
                                                           ? session->RevokeSession(name, reason)
                                                           : session->RevokeExport(name, reason));
  return ReportDone(context, operation, absl::StrCat("the revocation of ", name));
}

}  // namespace

std::vector<Command> RevocationCommands() {
  const Operand address = {
      .placeholder = "BDF", .help = "The device's address: 0000:01:00.0 or 01:00.0", .parse = DeviceName};
  const Operand name = {.placeholder = "NAME", .help = "sessions/7 or exports/12", .parse = RevocableName};
  return {{.name = "reset",
           .help = "Stop a device's users, reset it, put their mappings back",
           .operand = address,
           .run = Reset},
          {.name = "revoke",
           .help = "End a session, or take an export away, without asking",
           .operand = name,
           .options = {{.name = "--reason",
                        .placeholder = "TEXT",
                        .help = "Why: for those concerned, and the receipt",
                        .parse = ReasonText}},
           .run = Revoke}};
}

}  // namespace p2p::ctl
