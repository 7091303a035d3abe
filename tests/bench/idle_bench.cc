// What p2pd takes while nobody calls, beside a gRPC server that does nothing, at the same time. It has no device: a
// simulated one would have SimKernel look after it ten times a second.
#include "absl/time/clock.h"
#include "daemon/base/errors.h"
#include "tests/bench/scene.h"

namespace p2pd::bench {
namespace {

constexpr double kMebi = 1 << 20;
constexpr absl::Duration kSettle = absl::Seconds(2);  // after the start, gRPC's threads still come and go

struct Rest {
  uint64_t bytes = 0;
  uint64_t switches = 0;
};

absl::StatusOr<Rest> Look(const Process& process) {
  Rest rest;
  P2PD_ASSIGN_OR_RETURN(rest.bytes, process.ResidentBytes());
  P2PD_ASSIGN_OR_RETURN(rest.switches, process.VoluntarySwitches());
  return rest;
}

double Since(const Rest& before, const Rest& after) {
  return static_cast<double>(after.switches) - static_cast<double>(before.switches);
}

}  // namespace

absl::Status BenchIdle(const Setup& setup, Figures& figures) {
  P2PD_ASSIGN_OR_RETURN(const Daemon daemon, Daemon::Empty(setup.p2pd));
  P2PD_ASSIGN_OR_RETURN(const Folder folder, Folder::Create());
  P2PD_ASSIGN_OR_RETURN(const Process bare, Process::Start({setup.bare_server}, folder));
  absl::SleepFor(kSettle);
  P2PD_ASSIGN_OR_RETURN(const Rest before, Look(daemon.process()));
  P2PD_ASSIGN_OR_RETURN(const Rest bare_before, Look(bare));
  absl::SleepFor(absl::Seconds(setup.idle_seconds));
  P2PD_ASSIGN_OR_RETURN(const Rest after, Look(daemon.process()));
  P2PD_ASSIGN_OR_RETURN(const Rest bare_after, Look(bare));
  const Floor bare_memory = {.name = "bare gRPC server", .value = static_cast<double>(bare_after.bytes) / kMebi};
  figures.push_back(
      MakeFigure("idle p2pd, resident", static_cast<double>(after.bytes) / kMebi, "MiB", bare_memory, ValueAtMost(40)));
  figures.push_back(
      MakeFigure("idle p2pd, wake-ups", Since(before, after) / setup.idle_seconds, "1/s",
                 Floor{.name = "bare gRPC server", .value = Since(bare_before, bare_after) / setup.idle_seconds}));
  return absl::OkStatus();
}

}  // namespace p2pd::bench
