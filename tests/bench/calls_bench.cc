// What a call costs, beside the same way there and back with nothing done: Ping.
#include <algorithm>

#include "daemon/base/errors.h"
#include "tests/bench/rounds.h"
#include "tests/bench/scene.h"
#include "tests/bench/sim_part.h"

namespace p2pd::bench {
namespace {

constexpr int kBatch = 256;
constexpr int kBatchesFewer = 20;
constexpr uint64_t kOwnWindow = kWindowLength;  // where this bench's other windows begin

struct CallSamples {
  explicit CallSamples(Rounds& rounds)
      : ping(rounds.NewSamples()),
        raw(rounds.NewSamples()),
        map(rounds.NewSamples()),
        unmap(rounds.NewSamples()),
        acquire(rounds.NewSamples()),
        batch(rounds.NewSamples()),
        unbatch(rounds.NewSamples()) {}

  Samples& ping;
  Samples& raw;
  Samples& map;
  Samples& unmap;
  Samples& acquire;
  Samples& batch;
  Samples& unbatch;
};

absl::Status Acquire(const Actor& actor, Samples& samples) {
  v1::AcquireRequest request;
  *request.mutable_window() = WindowOf(kExporter, kOwnWindow, kPage);
  request.add_importers()->set_address_space(actor.space);
  v1::AcquireResponse response;
  P2PD_RETURN_IF_ERROR(
      samples.Time([&] { return actor.client->Call("Acquire", &v1::Broker::Stub::Acquire, request, response); }));
  return actor.client->DeleteExport(response.export_().name());
}

absl::Status BatchMapAndUnmap(const Actor& actor, Samples& map, Samples& unmap) {
  P2PD_ASSIGN_OR_RETURN(const v1::BatchMapResponse made,
                        map.Time([&] { return actor.client->BatchMapPage(actor.source, actor.space, kBatch); }));
  v1::BatchUnmapRequest request;
  for (const v1::Mapping& mapping : made.mappings()) request.add_names(mapping.name());
  v1::BatchUnmapResponse response;
  return unmap.Time([&] { return actor.client->Call("BatchUnmap", &v1::Broker::Stub::BatchUnmap, request, response); });
}

void Report(const CallSamples& took, Figures& figures) {
  const Floor ping = {.name = "Ping", .value = took.ping.Percentile(50)};
  figures.push_back(MakeTime("Ping", took.ping));
  figures.push_back(MakeTime("CreateExport RAW, with its fd", took.raw, ping, RatioAtMost(1.3)));
  figures.push_back(MakeTime("Map", took.map, ping, RatioAtMost(1.3)));
  figures.push_back(MakeTime("Unmap", took.unmap, ping, RatioAtMost(1.3)));
  figures.push_back(MakeTime("Acquire, one importer", took.acquire, ping, RatioAtMost(1.5)));
  figures.push_back(MakeTime("BatchMap of 256", took.batch, ping, RatioAtMost(4)));
  figures.push_back(MakeTime("BatchUnmap of 256", took.unbatch, ping));
}

}  // namespace

absl::Status BenchCalls(const Setup& setup, Figures& figures) {
  P2PD_ASSIGN_OR_RETURN(const Daemon daemon, Daemon::Simulated(setup.p2pd, 1));
  P2PD_ASSIGN_OR_RETURN(const Actor actor,
                        Actor::Join(daemon.sockets(), WindowOf(kExporter, 0, kWindowLength), ImporterName(0)));
  P2PD_ASSIGN_OR_RETURN(SimPart sim, SimPart::Create(MachineText(1)));
  Rounds rounds;
  CallSamples took(rounds);
  Samples& sim_grant = rounds.NewSamples();
  Samples& sim_map = rounds.NewSamples();
  Samples& sim_unmap = rounds.NewSamples();
  rounds.Add(setup.calls, [&] { return took.ping.Time([&] { return actor.client->Ping(); }); });
  rounds.Add(setup.calls, [&] { return GrantRaw(*actor.client, WindowOf(kExporter, kOwnWindow, kPage), took.raw); });
  rounds.Add(setup.calls, [&] { return actor.MapAndUnmap(took.map, took.unmap); });
  rounds.Add(setup.calls, [&] { return Acquire(actor, took.acquire); });
  rounds.Add(std::max(setup.calls / kBatchesFewer, 1),
             [&] { return BatchMapAndUnmap(actor, took.batch, took.unbatch); });
  rounds.Add(setup.calls, [&] { return sim_grant.Time([&] { return sim.Grant(); }).status(); });
  rounds.Add(setup.calls, [&]() -> absl::Status {
    P2PD_RETURN_IF_ERROR(sim_map.Time([&] { return sim.Map(); }));
    return sim_unmap.Time([&] { return sim.Unmap(); });
  });
  P2PD_RETURN_IF_ERROR(rounds.Run(setup.rounds));
  Report(took, figures);
  figures.push_back(MakeTime("  SimKernel's part of CreateExport RAW", sim_grant));
  figures.push_back(MakeTime("  SimKernel's part of Map", sim_map));
  figures.push_back(MakeTime("  SimKernel's part of Unmap", sim_unmap));
  return absl::OkStatus();
}

}  // namespace p2pd::bench
