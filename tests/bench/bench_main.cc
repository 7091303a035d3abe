// Measures p2pd and prints every figure beside its floor. Fails only where it cannot measure: a figure that misses its
// aim is marked.
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "tests/bench/scene.h"

namespace p2pd::bench {
namespace {

struct Bench {
  const char* name;
  absl::Status (*run)(const Setup&, Figures&);
};

constexpr Bench kBenches[] = {
    {"calls", BenchCalls},
    {"batches", BenchBatches},
    {"throughput", BenchThroughput},
    {"scale", BenchScale},
    {"journal", BenchJournal},
    {"policy", BenchPolicy},
    {"idle", BenchIdle},
    {"bus", BenchBus},
    {"real-kernel", BenchRealKernel},
    {"stuck", BenchStuck},
    {"watchers", BenchWatchers},
    {"revocation", BenchRevocation},
    {"resets", BenchSimulatedResets},
    {"continuity", BenchContinuity},
    {"store", BenchStore},
};

struct Choice {
  Setup setup;
  std::vector<std::string> names;
  std::string json;
};

void Describe(CLI::App& app, Choice& choice) {
  Setup& setup = choice.setup;
  app.add_option("--p2pd", setup.p2pd, "The daemon")->required()->type_name("FILE");
  app.add_option("--bare-server", setup.bare_server, "For idle and watchers")->type_name("FILE");
  app.add_option("--bus-server", setup.bus_server, "For bus")->type_name("FILE");
  app.add_option("--dbus-daemon", setup.dbus_daemon, "For bus")->type_name("FILE")->capture_default_str();
  app.add_option("--rounds", setup.rounds)->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--calls", setup.calls, "In a row, in each round")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--idle-seconds", setup.idle_seconds)->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--json", choice.json, "A line of JSON for each figure is added to this file")->type_name("FILE");
  std::vector<std::string> names;
  for (const Bench& bench : kBenches) names.emplace_back(bench.name);
  app.add_option("bench", choice.names, "Which")->required()->check(CLI::IsMember(names));
}

bool WriteJson(const std::string& path, const Figures& figures) {
  std::ofstream file(path, std::ios::app);
  for (const Figure& figure : figures) file << ToJson(figure) << "\n";
  file.flush();
  if (!file) std::cerr << "bench: cannot write " << path << std::endl;
  return static_cast<bool>(file);
}

int Run(const Choice& choice) {
  Figures figures;
  int status = EXIT_SUCCESS;
  for (const std::string& name : choice.names) {
    for (const Bench& bench : kBenches) {
      if (name != bench.name) continue;
      std::cerr << "bench: " << name << std::endl;
      const absl::Status done = bench.run(choice.setup, figures);
      if (done.ok()) continue;
      std::cerr << "bench: " << name << " could not run: " << done.message() << std::endl;
      status = EXIT_FAILURE;
    }
  }
  std::cout << ToTable(figures) << std::flush;
  return choice.json.empty() || WriteJson(choice.json, figures) ? status : EXIT_FAILURE;
}

int Main(int argc, char** argv) {
  umask(S_IRWXG | S_IRWXO);  // p2pd reads no policy that others may write
  Choice choice;
  CLI::App app("Measures p2pd; every figure is shown beside its floor.", "bench");
  Describe(app, choice);
  try {  // CLI11 speaks in exceptions; they end here.
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? EXIT_SUCCESS : 2;
  }
  return Run(choice);
}

}  // namespace
}  // namespace p2pd::bench

int main(int argc, char** argv) { return p2pd::bench::Main(argc, argv); }
