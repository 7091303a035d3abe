// What many mappings at once cost, beside a single Ping: the way there and back is taken once.
#include <algorithm>

#include "daemon/base/errors.h"
#include "tests/bench/rounds.h"
#include "tests/bench/scene.h"
#include "tests/bench/sim_part.h"

namespace p2pd::bench {
namespace {

constexpr int kBatch = 256;
constexpr int kFewer = 20;  // a batch takes so much longer than a call

absl::Status BatchMapAndUnmap(const Actor& actor, Samples& map, Samples& unmap) {
  P2PD_ASSIGN_OR_RETURN(const v1::BatchMapResponse made,
                        map.Time([&] { return actor.client->BatchMapPage(actor.source, actor.space, kBatch); }));
  v1::BatchUnmapRequest request;
  for (const v1::Mapping& mapping : made.mappings()) request.add_names(mapping.name());
  v1::BatchUnmapResponse response;
  return unmap.Time([&] { return actor.client->Call("BatchUnmap", &v1::Broker::Stub::BatchUnmap, request, response); });
}

absl::Status MapAndUnmapHere(SimPart& sim, Samples& map, Samples& unmap) {
  P2PD_RETURN_IF_ERROR(map.Time([&]() -> absl::Status {
    for (int i = 0; i < kBatch; ++i) P2PD_RETURN_IF_ERROR(sim.Map());
    return absl::OkStatus();
  }));
  return unmap.Time([&]() -> absl::Status {
    for (int i = 0; i < kBatch; ++i) P2PD_RETURN_IF_ERROR(sim.Unmap());
    return absl::OkStatus();
  });
}

}  // namespace

absl::Status BenchBatches(const Setup& setup, Figures& figures) {
  P2PD_ASSIGN_OR_RETURN(const Daemon daemon, Daemon::Simulated(setup.p2pd, 1));
  P2PD_ASSIGN_OR_RETURN(const Actor actor,
                        Actor::Join(daemon.sockets(), WindowOf(kExporter, 0, kWindowLength), ImporterName(0)));
  P2PD_ASSIGN_OR_RETURN(SimPart sim, SimPart::Create(MachineText(1)));
  const int calls = std::max(setup.calls / kFewer, 1);
  Rounds rounds;
  Samples& ping = rounds.NewSamples();
  Samples& map = rounds.NewSamples();
  Samples& unmap = rounds.NewSamples();
  Samples& sim_map = rounds.NewSamples();
  Samples& sim_unmap = rounds.NewSamples();
  rounds.Add(setup.calls, [&] { return ping.Time([&] { return actor.client->Ping(); }); });
  rounds.Add(calls, [&] { return BatchMapAndUnmap(actor, map, unmap); });
  rounds.Add(calls, [&] { return MapAndUnmapHere(sim, sim_map, sim_unmap); });
  P2PD_RETURN_IF_ERROR(rounds.Run(setup.rounds));
  const Floor floor = {.name = "Ping", .value = ping.Percentile(50)};
  figures.push_back(MakeTime("BatchMap of 256", map, floor, RatioAtMost(4)));
  figures.push_back(MakeTime("BatchUnmap of 256", unmap, floor));
  figures.push_back(MakeTime("SimKernel's part of BatchMap", sim_map, floor));
  figures.push_back(MakeTime("SimKernel's part of BatchUnmap", sim_unmap, floor));
  return absl::OkStatus();
}

}  // namespace p2pd::bench
