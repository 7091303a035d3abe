// `p2pctl reset BDF`: resets a device and shows the receipt.
#include "absl/strings/str_cat.h"
#include "client/p2pctl/commands.h"
#include "client/p2pctl/names.h"
#include "client/p2pctl/receipt.h"
#include "daemon/base/errors.h"

namespace p2p::ctl {
namespace {

absl::Status Reset(Context& context, const Arguments& arguments) {
  P2PD_ASSIGN_OR_RETURN(const auto session, context.Connect());
  P2PD_ASSIGN_OR_RETURN(const v1::Operation operation, session->ResetDevice(arguments.object));
  if (context.json()) {
    context.PrintJson(operation);
  } else {
    PrintReceipt(context, operation);
  }
  if (operation.state() != v1::Operation::FAILED) return absl::OkStatus();
  return absl::AbortedError(absl::StrCat("the reset of ", arguments.object, " failed: ", operation.error()));
}

}  // namespace

std::vector<Command> ResetCommands() {
  const Operand address = {
      .placeholder = "BDF", .help = "The device's address: 0000:01:00.0 or 01:00.0", .parse = DeviceName};
  return {{.name = "reset",
           .help = "Stop a device's users, reset it, put their mappings back",
           .operand = address,
           .run = Reset}};
}

}  // namespace p2p::ctl
