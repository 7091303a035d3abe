// `p2pctl run -- COMMAND`: a command that is no client of p2pd, with descriptors from p2pd.
#include <signal.h>

#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "client/p2pctl/child_process.h"
#include "client/p2pctl/commands.h"
#include "client/p2pctl/device_watch.h"
#include "client/p2pctl/exit_status.h"
#include "client/p2pctl/names.h"
#include "client/p2pctl/supervisor.h"
#include "client/p2pctl/text.h"
#include "client/p2pctl/window.h"
#include "daemon/base/errors.h"

namespace p2p::ctl {
namespace {

absl::StatusOr<Grants> TakeGrants(Session& session, const Arguments& arguments) {
  Grants grants;
  for (const std::string& typed : arguments.Values("--acquire")) {
    P2PD_ASSIGN_OR_RETURN(WindowOptions window, ParseWindow(typed));
    window.grade = v1::RAW;
    P2PD_ASSIGN_OR_RETURN(Export acquired, session.CreateExport(window));
    grants.windows.push_back(std::move(acquired));
  }
  for (const std::string& name : arguments.Values("--drive")) {
    P2PD_ASSIGN_OR_RETURN(Device device, session.OpenDevice(name));
    grants.devices.push_back(std::move(device));
  }
  return grants;
}

// "devices/0000:01:00.0" -> "0000-01-00.0": LISTEN_FDNAMES is separated by colons.
std::string FdName(const std::string& device) { return absl::StrReplaceAll(ShortName(device), {{":", "-"}}); }

template <typename Object>
std::string Names(const std::vector<Object>& objects) {
  return absl::StrJoin(objects, " ", [](std::string* out, const Object& object) { out->append(object.name()); });
}

ChildOptions ForCommand(const Arguments& arguments, const Session& session, const Grants& grants,
                        const NotifySocket& notify, const Signals& signals) {
  ChildOptions options = {.command = arguments.trailing, .signal_mask = signals.old_mask()};
  for (const Export& window : grants.windows) {
    const std::string name = absl::StrCat(FdName(window.window().device()), "-bar", window.window().bar());
    options.fds.push_back({.name = name, .fd = window.dma_buf()});
  }
  for (const Device& device : grants.devices) options.fds.push_back({.name = FdName(device.name()), .fd = device.fd()});
  options.environment = {
      absl::StrCat("P2PD_SESSION=", session.name()), absl::StrCat("P2PD_EXPORTS=", Names(grants.windows)),
      absl::StrCat("P2PD_DEVICES=", Names(grants.devices)), absl::StrCat("NOTIFY_SOCKET=", notify.address())};
  return options;
}

// Says what stays behind, as a device that a process started by the command still holds.
void GiveBack(Context& context, Grants& grants) {
  for (Device& device : grants.devices) {
    if (const absl::Status closed = device.Close(); !closed.ok()) context.Note(closed.message());
  }
  for (Export& window : grants.windows) {
    if (const auto released = window.Release(); !released.ok()) context.Note(released.status().message());
  }
}

absl::Status Supervise(Context& context, Session& session, Grants& grants, const Arguments& arguments, Signals& signals,
                       SessionNews& news) {
  P2PD_ASSIGN_OR_RETURN(NotifySocket notify, NotifySocket::Create());
  auto command = ChildProcess::Start(ForCommand(arguments, session, grants, notify, signals));
  if (!command.ok()) {
    const bool missing = absl::IsNotFound(command.status());
    context.ExitWith(static_cast<int>(missing ? ExitStatus::kNoCommand : ExitStatus::kNotExecutable));
    return command.status();
  }
  const bool cooperates = arguments.Has("--quiesce");
  std::optional<DeviceWatch> watch;
  if (cooperates && !grants.devices.empty()) watch.emplace(session, grants.devices, news);
  Supervisor supervisor(context, grants, cooperates);
  const int status = supervisor.Supervise(*command, signals, news, notify);
  P2PD_RETURN_IF_ERROR(supervisor.session_ended());
  context.ExitWith(status);
  GiveBack(context, grants);
  return absl::OkStatus();
}

absl::Status Run(Context& context, const Arguments& arguments) {
  if (arguments.Values("--acquire").empty() && arguments.Values("--drive").empty()) {
    context.ExitWith(static_cast<int>(ExitStatus::kUsage));
    return p2pd::MakeError(absl::StatusCode::kInvalidArgument,
                           {.reason = p2pd::Reason::kInvalidArgument, .hint = "say --acquire WINDOW or --drive BDF"},
                           "there is nothing to run the command with");
  }
  P2PD_ASSIGN_OR_RETURN(Signals signals, Signals::Block({SIGINT, SIGTERM, SIGHUP, SIGQUIT}));
  P2PD_ASSIGN_OR_RETURN(const auto news, SessionNews::Create());
  P2PD_ASSIGN_OR_RETURN(const auto session, context.Connect(news->Into({.client_name = "p2pctl run"})));
  P2PD_ASSIGN_OR_RETURN(Grants grants, TakeGrants(*session, arguments));
  if (const auto signal = signals.Take(); signal.has_value()) {
    context.ExitWith(128 + signal->number);
    return absl::CancelledError("interrupted before the command was started");
  }
  return Supervise(context, *session, grants, arguments, signals, *news);
}

}  // namespace

std::vector<Command> RunCommands() {
  return {{.name = "run",
           .help = "Run a command with descriptors of windows and devices",
           .options = {{.name = "--acquire",
                        .placeholder = "WINDOW",
                        .help = "Pass it the dma-buf of this window (grade RAW)",
                        .parse = WindowText},
                       {.name = "--drive",
                        .placeholder = "BDF",
                        .help = "Pass it the VFIO descriptor of this device",
                        .parse = DeviceName},
                       {.name = "--quiesce",
                        .placeholder = "",
                        .help = "It stops its DMA on SIGUSR1 and says so: see p2pctl(1)"}},
           .trailing = "COMMAND [ARGUMENT...]",
           .run = Run}};
}

}  // namespace p2p::ctl
