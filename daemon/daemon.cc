#include "daemon/daemon.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/base/process.h"
#include "daemon/base/thread_scheduler.h"
#include "daemon/bus/denial_reporter.h"
#include "daemon/bus/event_log.h"
#include "daemon/bus/reporter.h"
#include "daemon/bus/unit_killer.h"
#include "daemon/config/config_text.h"
#include "daemon/continuity.h"
#include "daemon/core/broker.h"
#include "daemon/effective_settings.h"
#include "daemon/front/server.h"
#include "daemon/front/unix_socket.h"
#include "daemon/helper/config_client.h"
#include "daemon/machine.h"
#include "daemon/service/event_loop.h"
#include "daemon/service/log.h"
#include "daemon/service/loop_signals.h"
#include "daemon/service/message_ids.h"
#include "daemon/service/notify.h"
#include "daemon/service/uevents.h"
#include "daemon/service/watchdog.h"
#include "policy/policy_file.h"

namespace p2pd {
namespace {

absl::StatusOr<std::shared_ptr<const Policy>> ReadPolicy(const std::string& path) {
  auto rules = LoadPolicy(path, SystemUserDatabase());
  if (!rules.ok()) return rules.status();
  return std::make_shared<const RuleChain>(*std::move(rules));
}

// A listening socket: the service manager's, or one that p2pd binds and, when it stops, removes.
class Socket {
 public:
  static absl::StatusOr<Socket> Open(const std::string& name, const std::string& path, int type,
                                     std::vector<NamedFd>& inherited) {
    for (NamedFd& fd : inherited) {
      if (fd.name != name || !fd.fd.valid()) continue;
      P2PD_ASSIGN_OR_RETURN(UniqueFd listening, CheckListening(std::move(fd.fd), type));
      return Socket(std::move(listening), "");
    }
    P2PD_ASSIGN_OR_RETURN(UniqueFd listening, ListenAt(path, type));
    return Socket(std::move(listening), path);
  }

  UniqueFd TakeFd() { return std::move(fd_); }
  void Remove() const {
    if (!path_.empty()) unlink(path_.c_str());
  }

 private:
  Socket(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  UniqueFd fd_;
  std::string path_;
};

std::string Summary(const std::string& version, const std::string& kernel, const StatusView& status) {
  return absl::StrCat("p2pd ", version, " serves ", status.devices, " devices (", kernel, "), ", status.policy_rules,
                      " policy rules");
}

// Ends every session, in this order: no newcomers, no mappings, then the loop may go.
void Stop(EventLoop& loop, Broker& broker, Server& server, Reporter& reporter, const Socket& fds, const Socket& grpc) {
  const std::string status = absl::StrCat("ends ", broker.GetStatus().sessions, " sessions");
  Log({.message = status, .id = kServiceStopping});
  reporter.Hush();
  NotifyStopping(status);
  fds.Remove();
  grpc.Remove();
  server.StopListening();
  broker.Stop([&loop] { loop.Quit(); });
}

// To be started again at once: what this process holds, a successor takes back. So nothing may be ended here, and no
// destructor run.
[[noreturn]] void Leave() {
  Log({.message = "leaves everything to its successor", .id = kServiceStopping});
  NotifyStopping("is being started again");
  _exit(EXIT_SUCCESS);
}

// What an administrator can change while p2pd runs: the policy.
void ReloadAll(EventLoop& loop, Broker& broker, Reporter& reporter) {
  NotifyReloading();
  broker.Reload([&loop, &reporter](const absl::StatusOr<ReloadView>& outcome) {
    loop.Post([entry = EntryFor(outcome), &reporter] {
      Log(entry);
      NotifyReady(reporter.Status());
    });
  });
}

absl::Status Serve(EventLoop& loop, Broker& broker, Machine& machine, Continuity& continuity, const Settings& settings,
                   const std::string& version, std::vector<NamedFd>& inherited) {
  P2PD_ASSIGN_OR_RETURN(Socket fds, Socket::Open("fds", settings.fd_socket, SOCK_SEQPACKET, inherited));
  P2PD_ASSIGN_OR_RETURN(Socket grpc, Socket::Open("grpc", settings.grpc_socket, SOCK_STREAM, inherited));
  const ConnectionLimits connections = ConnectionLimitsOf(settings);
  // A thread for each connection, if it must be: each may block on what its client sent.
  ThreadScheduler workers(connections.total);
  ServerOptions options;
  options.fd_socket = fds.TakeFd();
  options.grpc_socket = grpc.TakeFd();
  options.connections = connections;
  options.unread_fds = UnreadFdLimitsOf(settings);
  options.hello_deadline = settings.hello_deadline;
  Reporter reporter(loop, broker, workers, {.version = version, .kernel = machine.kernel_name()});
  options.grpc = {.version = version, .kernel = machine.kernel_name()};
  options.grpc.capabilities = [&reporter, &broker] {
    return std::vector<CapabilityView>{reporter.BusConnection(), broker.Continuity()};
  };
  options.grpc.on_log_level = [&loop, &reporter] { loop.Post([&reporter] { reporter.TellSoon(); }); };
  P2PD_ASSIGN_OR_RETURN(auto server, Server::Start(loop, broker, workers, std::move(options)));

  bool stopping = false;
  const auto stop = [&] {
    if (continuity.Restarts()) Leave();
    if (!std::exchange(stopping, true)) Stop(loop, broker, *server, reporter, fds, grpc);
  };
  P2PD_ASSIGN_OR_RETURN(const EventLoop::Watch on_term, loop.OnSignal(SIGTERM, stop));
  P2PD_ASSIGN_OR_RETURN(const EventLoop::Watch on_int, loop.OnSignal(SIGINT, stop));
  const auto reload = [&] { ReloadAll(loop, broker, reporter); };
  P2PD_ASSIGN_OR_RETURN(const EventLoop::Watch on_hup, loop.OnSignal(SIGHUP, reload));

  P2PD_ASSIGN_OR_RETURN(const auto watchdog, Watchdog::Start(loop, [&broker] { broker.GetStatus(); }));
  Log({.message = Summary(version, machine.kernel_name(), broker.GetStatus()), .id = kServiceReady});
  NotifyReady(reporter.Status());
  return loop.Run();
}

}  // namespace

absl::StatusOr<std::string> CheckConfig(const Flags& flags) {
  P2PD_ASSIGN_OR_RETURN(const Settings settings, EffectiveSettings(flags));
  P2PD_RETURN_IF_ERROR(ReadPolicy(settings.policy).status());
  return ConfigText(settings);
}

absl::Status RunDaemon(const Flags& flags, const Settings& settings, const std::string& version,
                       std::vector<NamedFd> inherited) {
  P2PD_ASSIGN_OR_RETURN(const std::shared_ptr<const Policy> policy, ReadPolicy(settings.policy));
  std::unique_ptr<Machine> machine = MakeLinuxMachine();
  if (!flags.simulate.empty()) {
    P2PD_ASSIGN_OR_RETURN(machine, MakeSimulatedMachine(flags.simulate));
  }
  P2PD_ASSIGN_OR_RETURN(const std::unique_ptr<EventLoop> loop, EventLoop::Create());
  LoopSignals signals(*loop);
  absl::StatusOr<Continuity> continuity = flags.simulate.empty()
                                              ? Continuity::Open(QuotaLimitsOf(settings), inherited)
                                              : Continuity::Without("the machine is simulated, and ends with it");
  if (!continuity.ok()) return continuity.status();
  ThreadScheduler scheduler;
  BrokerOptions options;
  options.sysfs_root = flags.sysfs_root.empty() ? machine->sysfs_root() : flags.sysfs_root;
  options.cpuinfo = machine->cpuinfo();
  if (flags.simulate.empty() && flags.sysfs_root.empty()) {
    options.config_source = [client = ConfigClient(settings.config_socket)](const std::vector<PciAddress>& functions) {
      return client.Read(functions);
    };
  }
  options.managed = settings.managed;
  for (const MergedContextSetting& merged : settings.merged_contexts) {
    options.merged_contexts.push_back({.devices = merged.devices, .origin = merged.origin});
  }
  options.quiesce_deadline = settings.quiesce_deadline;
  options.ready_deadline = settings.ready_deadline;
  options.quota = QuotaLimitsOf(settings);
  options.signals = &signals;
  options.store = &continuity->store();
  options.distrust = continuity->distrust();
  options.kill_unit = [killer = UnitKiller({.own_unit = UnitOf(getpid())})](const std::string& unit) {
    return killer.Kill(unit);
  };
  options.read_policy = [path = settings.policy] { return ReadPolicy(path); };
  DenialReporter denials(*loop);
  options.on_denied = [loop = loop.get(), &denials](const Denial& denial) {
    loop->Post([denial, &denials] { denials.Note(denial); });
  };
  Broker broker(options, machine->kernel(), scheduler, continuity->journal(), policy);
  P2PD_RETURN_IF_ERROR(broker.Start());
  std::unique_ptr<Uevents> uevents;
  if (flags.simulate.empty()) {
    // What came between the start's look and this is looked for once more.
    P2PD_ASSIGN_OR_RETURN(uevents, Uevents::Listen(*loop, [&broker](const Uevent& uevent) {
                            if (uevent.changed || uevent.missed) broker.Rescan();
                            if (uevent.recovered.has_value() || uevent.missed) broker.Recovered(uevent.recovered);
                          }));
    broker.Rescan();
  }
  return Serve(*loop, broker, *machine, *continuity, settings, version, inherited);
}

}  // namespace p2pd
