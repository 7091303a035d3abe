// A grant with a descriptor: p2pd's, beside the same through a message bus with sd-bus at both ends, as logind does it.
#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "tests/bench/bus.h"
#include "tests/bench/rounds.h"
#include "tests/bench/scene.h"

namespace p2pd::bench {
namespace {

std::string BusConfig(const std::string& address) {
  return absl::StrCat(R"(<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>)",
                      address, R"(</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
  </policy>
</busconfig>
)");
}

}  // namespace

absl::Status BenchBus(const Setup& setup, Figures& figures) {
  P2PD_ASSIGN_OR_RETURN(const Daemon daemon, Daemon::Simulated(setup.p2pd, 1));
  P2PD_ASSIGN_OR_RETURN(const auto client, BenchClient::Connect(daemon.sockets()));

  P2PD_ASSIGN_OR_RETURN(const Folder folder, Folder::Create());
  const std::string address = absl::StrCat("unix:path=", folder.At("bus"));
  P2PD_RETURN_IF_ERROR(folder.Write("machine", MachineText(1)));
  P2PD_RETURN_IF_ERROR(folder.Write("bus.conf", BusConfig(address)));
  P2PD_ASSIGN_OR_RETURN(
      const Process bus_daemon,
      Process::Start({setup.dbus_daemon, "--nofork", absl::StrCat("--config-file=", folder.At("bus.conf"))}, folder));
  P2PD_ASSIGN_OR_RETURN(const Process server,
                        Process::Start({setup.bus_server, address, folder.At("machine")}, folder));
  P2PD_ASSIGN_OR_RETURN(const Bus bus, ConnectBus(address));

  Rounds rounds;
  Samples& raw = rounds.NewSamples();
  Samples& grant = rounds.NewSamples();
  Samples& ready = rounds.NewSamples();
  Discarded discarded(*client);
  rounds.Add(
      setup.calls, [&] { return discarded.Add(GrantRaw(*client, WindowOf(kExporter, 0, kPage), raw)); },
      [&] { return discarded.DeleteAll(); });
  rounds.Add(setup.calls, [&] { return grant.Time([&] { return CallForFd(bus.get(), kGrantMethod); }).status(); });
  rounds.Add(setup.calls, [&] { return ready.Time([&] { return CallForFd(bus.get(), kReadyMethod); }).status(); });
  P2PD_RETURN_IF_ERROR(rounds.Run(setup.rounds));
  figures.push_back(MakeTime("CreateExport RAW, with its fd, beside D-Bus", raw,
                             Floor{.name = "the same over D-Bus", .value = grant.Percentile(50)}, RatioAtMost(1)));
  figures.push_back(MakeTime("a descriptor that is there, over D-Bus", ready));
  return absl::OkStatus();
}

}  // namespace p2pd::bench
