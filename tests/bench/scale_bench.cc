// What 100,000 live mappings change, and what each of them takes. Two p2pd, one with few and one with many, take
// turns.
#include "daemon/base/errors.h"
#include "tests/bench/rounds.h"
#include "tests/bench/scene.h"

namespace p2pd::bench {
namespace {

constexpr int kFew = 100;
constexpr int kMany = 100000;
constexpr int kBatch = 1000;
constexpr char kConfig[] = "limits { mappings { per_user: 200000 total: 200000 } }";

// A p2pd, and a session with mappings in it.
struct Place {
  static absl::StatusOr<Place> Make(const Setup& setup) {
    P2PD_ASSIGN_OR_RETURN(Daemon daemon, Daemon::Simulated(setup.p2pd, 1, kConfig));
    P2PD_ASSIGN_OR_RETURN(Actor actor,
                          Actor::Join(daemon.sockets(), WindowOf(kExporter, 0, kWindowLength), ImporterName(0)));
    return Place{.daemon = std::move(daemon), .actor = std::move(actor)};
  }

  absl::Status MapAnother() const { return actor.client->MapPage(actor.source, actor.space).status(); }

  Daemon daemon;
  Actor actor;
};

// One by one, as p2pd keeps the outcomes of the last requests, and those of batches are larger.
absl::Status Fill(const Place& place, int mappings) {
  for (int i = 0; i < mappings; ++i) P2PD_RETURN_IF_ERROR(place.MapAnother());
  return absl::OkStatus();
}

absl::Status FillByBatches(const Place& place, int mappings) {
  for (int i = 0; i < mappings; i += kBatch) {
    P2PD_RETURN_IF_ERROR(place.actor.client->BatchMapPage(place.actor.source, place.actor.space, kBatch).status());
  }
  return absl::OkStatus();
}

// Bytes that each of the mappings takes which `fill` makes.
absl::StatusOr<double> BytesEach(const Place& place, absl::Status (*fill)(const Place&, int), int mappings) {
  P2PD_ASSIGN_OR_RETURN(const uint64_t before, place.daemon.process().ResidentBytes());
  P2PD_RETURN_IF_ERROR(fill(place, mappings));
  P2PD_ASSIGN_OR_RETURN(const uint64_t after, place.daemon.process().ResidentBytes());
  return (static_cast<double>(after) - static_cast<double>(before)) / mappings;
}

}  // namespace

absl::Status BenchScale(const Setup& setup, Figures& figures) {
  P2PD_ASSIGN_OR_RETURN(const Place few, Place::Make(setup));
  P2PD_ASSIGN_OR_RETURN(const Place many, Place::Make(setup));
  P2PD_ASSIGN_OR_RETURN(const Place batched, Place::Make(setup));
  P2PD_RETURN_IF_ERROR(Fill(few, kFew));
  P2PD_RETURN_IF_ERROR(Fill(many, kFew));
  P2PD_ASSIGN_OR_RETURN(const double bytes, BytesEach(many, Fill, kMany - kFew));
  P2PD_ASSIGN_OR_RETURN(const double batched_bytes, BytesEach(batched, FillByBatches, kMany));

  Rounds rounds;
  Samples& map_few = rounds.NewSamples();
  Samples& map_many = rounds.NewSamples();
  Samples& unmap_few = rounds.NewSamples();
  Samples& unmap_many = rounds.NewSamples();
  rounds.Add(setup.calls, [&] { return few.actor.MapAndUnmap(map_few, unmap_few); });
  rounds.Add(setup.calls, [&] { return many.actor.MapAndUnmap(map_many, unmap_many); });
  P2PD_RETURN_IF_ERROR(rounds.Run(setup.rounds));
  figures.push_back(MakeTime("Map, 100,000 live", map_many,
                             Floor{.name = "Map, 100 live", .value = map_few.Percentile(50)}, RatioAtMost(1.3)));
  figures.push_back(MakeTime("Unmap, 100,000 live", unmap_many,
                             Floor{.name = "Unmap, 100 live", .value = unmap_few.Percentile(50)}, RatioAtMost(1.3)));
  figures.push_back(MakeFigure("p2pd's memory for a mapping", bytes, "bytes", std::nullopt, ValueAtMost(1024)));
  figures.push_back(MakeFigure("p2pd's memory for a mapping of a batch", batched_bytes, "bytes"));
  return absl::OkStatus();
}

}  // namespace p2pd::bench
