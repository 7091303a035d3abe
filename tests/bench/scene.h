// What the benches play on: a p2pd of their own, and a client that may use it.
#ifndef P2PD_TESTS_BENCH_SCENE_H_
#define P2PD_TESTS_BENCH_SCENE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/bench/bench_client.h"
#include "tests/bench/figure.h"
#include "tests/bench/process.h"
#include "tests/bench/samples.h"

namespace p2pd::bench {

struct Setup {
  std::string p2pd;  // paths of programs
  std::string bare_server;
  std::string bus_server;
  std::string dbus_daemon = "/usr/bin/dbus-daemon";
  int rounds = 50;
  int calls = 200;  // of each kind in a round; fewer of what takes longer
  int idle_seconds = 10;
};

// A simulated machine: the exporter, 64 MiB of plain memory in BAR 2, and devices that may reach it. No device has a
// model, so that nothing but p2pd is at work when nobody calls.
inline constexpr char kExporter[] = "devices/0000:01:00.0";
std::string ImporterName(int index);     // "devices/0000:02:00.0"
std::string MachineText(int importers);  // p2pd.v1.Simulation
inline constexpr uint64_t kWindowLength = 1 << 20;
// One more device, whose reset takes its time.
inline constexpr char kSlowBdf[] = "0000:c0:00.0";
std::string SlowDeviceText(absl::Duration reset);

// A p2pd in a process of its own, which lets everybody do everything.
class Daemon {
 public:
  // `config` as in p2pd.conf(5).
  static absl::StatusOr<Daemon> Simulated(const std::string& program, int importers, const std::string& config = "",
                                          const std::string& more_devices = "");
  // Without a device: p2pd alone.
  static absl::StatusOr<Daemon> Empty(const std::string& program);
  // On the kernel that runs.
  static absl::StatusOr<Daemon> Real(const std::string& program, const std::string& managed_devices);

  const Sockets& sockets() const { return sockets_; }
  const Process& process() const { return process_; }

 private:
  static absl::StatusOr<Daemon> Start(const std::string& program, Folder folder, const std::string& config,
                                      const std::string& machine);
  Daemon(Folder folder, Sockets sockets, Process process)
      : folder_(std::move(folder)), sockets_(std::move(sockets)), process_(std::move(process)) {}

  Folder folder_;
  Sockets sockets_;
  Process process_;
};

// A session that drives an importer and has an export to map for it.
struct Actor {
  static absl::StatusOr<Actor> Join(const Sockets& sockets, const v1::Window& window, const std::string& importer);

  // A page of the export, mapped and unmapped.
  absl::Status MapAndUnmap(Samples& map, Samples& unmap) const;

  std::unique_ptr<BenchClient> client;
  std::string source;
  std::string space;
};

// A RAW export with its descriptor, timed; the descriptor is closed, untimed. Returns the export's name.
absl::StatusOr<std::string> GrantRaw(BenchClient& client, const v1::Window& window, Samples& samples);

// Exports to be deleted later, where deleting them would be at work still when the next call is timed.
class Discarded {
 public:
  explicit Discarded(BenchClient& client) : client_(client) {}
  // Of what made the export.
  absl::Status Add(const absl::StatusOr<std::string>& name);
  absl::Status DeleteAll();

 private:
  BenchClient& client_;
  std::vector<std::string> names_;
};

// The benches. Each adds its figures; it fails only where it cannot run.
using Figures = std::vector<Figure>;
absl::Status BenchCalls(const Setup& setup, Figures& figures);
absl::Status BenchBatches(const Setup& setup, Figures& figures);
absl::Status BenchThroughput(const Setup& setup, Figures& figures);
absl::Status BenchScale(const Setup& setup, Figures& figures);
absl::Status BenchJournal(const Setup& setup, Figures& figures);
absl::Status BenchContinuity(const Setup& setup, Figures& figures);
absl::Status BenchStore(const Setup& setup, Figures& figures);
absl::Status BenchSimulatedResets(const Setup& setup, Figures& figures);
absl::Status BenchIdle(const Setup& setup, Figures& figures);
absl::Status BenchBus(const Setup& setup, Figures& figures);
absl::Status BenchStuck(const Setup& setup, Figures& figures);
absl::Status BenchWatchers(const Setup& setup, Figures& figures);
absl::Status BenchPolicy(const Setup& setup, Figures& figures);
absl::Status BenchRealKernel(const Setup& setup, Figures& figures);
absl::Status BenchRevocation(const Setup& setup, Figures& figures);

}  // namespace p2pd::bench

#endif  // P2PD_TESTS_BENCH_SCENE_H_
