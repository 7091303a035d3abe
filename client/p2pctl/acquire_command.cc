// `p2pctl acquire WINDOW`, `p2pctl renew SESSION` and `p2pctl release SESSION`: a window for a script. The script's
// processes come and go; a process in the background holds the session.
#include "client/p2pctl/background.h"
#include "client/p2pctl/commands.h"
#include "client/p2pctl/holder.h"
#include "client/p2pctl/names.h"
#include "client/p2pctl/time_to_live.h"
#include "client/p2pctl/window.h"
#include "daemon/base/errors.h"

namespace p2p::ctl {
namespace {

absl::Status Acquire(Context& context, const Arguments& arguments) {
  Holding holding = {.importers = arguments.Values("--for")};
  P2PD_ASSIGN_OR_RETURN(holding.window, ParseWindow(arguments.object));
  if (arguments.Has("--raw")) holding.window.grade = v1::RAW;
  for (const std::string& typed : arguments.Values("--time-to-live")) {
    P2PD_ASSIGN_OR_RETURN(holding.window.time_to_live, ParseTimeToLive(typed));
  }
  P2PD_ASSIGN_OR_RETURN(Background background, Background::Fork());
  if (background.is_holder()) return Hold(context, holding, background);
  context.ExitWith(background.AwaitHolder());
  return absl::OkStatus();
}

absl::Status Renew(Context& context, const Arguments& arguments) {
  P2PD_ASSIGN_OR_RETURN(const auto session, context.Connect());
  P2PD_ASSIGN_OR_RETURN(const v1::Export renewed, RenewHolder(*session, arguments.object, context.timeout()));
  if (context.json()) context.PrintJson(renewed);
  return absl::OkStatus();
}

absl::Status Release(Context& context, const Arguments& arguments) {
  P2PD_ASSIGN_OR_RETURN(const auto session, context.Connect());
  P2PD_ASSIGN_OR_RETURN(const v1::Session released, EndHolder(*session, arguments.object, context.timeout()));
  if (context.json()) context.PrintJson(released);
  return absl::OkStatus();
}

}  // namespace

std::vector<Command> AcquireCommands() {
  const Operand window = {.placeholder = "WINDOW",
                          .help = "BDF/BAR+LENGTH or BDF/BAR/OFFSET+LENGTH, as in 01:00.0/2/64K+2M",
                          .parse = WindowText};
  const Operand session = {.placeholder = "SESSION", .help = "What acquire printed: sessions/7", .parse = SessionName};
  return {
      {.name = "acquire",
       .help = "Hold a window in the background; print the session's name",
       .operand = window,
       .options = {{.name = "--for",
                    .placeholder = "BDF",
                    .help = "Drive this device, and map the window for it",
                    .parse = DeviceName},
                   {.name = "--raw", .placeholder = "", .help = "With a dma-buf (grade RAW)"},
                   {.name = "--time-to-live",
                    .placeholder = "TIME",
                    .help = "Give it back after this, unless renewed: 30s, 1h30m",
                    .parse = TimeToLiveText}},
       .run = Acquire},
      {.name = "renew", .help = "Begin the time to live of what acquire took anew", .operand = session, .run = Renew},
      {.name = "release", .help = "Give back what acquire took", .operand = session, .run = Release}};
}

}  // namespace p2p::ctl
