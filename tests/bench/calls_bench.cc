// What a call costs, beside the same way there and back with nothing done: Ping.
#include "daemon/base/errors.h"
#include "tests/bench/rounds.h"
#include "tests/bench/scene.h"
#include "tests/bench/sim_part.h"

namespace p2pd::bench {
namespace {

constexpr uint64_t kOwnWindow = kWindowLength;  // where this bench's other windows begin

struct CallSamples {
  explicit CallSamples(Rounds& rounds)
      : ping(rounds.NewSamples()),
        raw(rounds.NewSamples()),
        map(rounds.NewSamples()),
        unmap(rounds.NewSamples()),
        acquire(rounds.NewSamples()),
        ping_with_token(rounds.NewSamples()),
        get_export(rounds.NewSamples()) {}

  Samples& ping;
  Samples& raw;
  Samples& map;
  Samples& unmap;
  Samples& acquire;
  Samples& ping_with_token;
  Samples& get_export;
};

absl::StatusOr<std::string> Acquire(const Actor& actor, Samples& samples) {
  v1::AcquireRequest request;
  *request.mutable_window() = WindowOf(kExporter, kOwnWindow, kPage);
  request.add_importers()->set_address_space(actor.space);
  v1::AcquireResponse response;
  P2PD_RETURN_IF_ERROR(
      samples.Time([&] { return actor.client->Call("Acquire", &v1::Broker::Stub::Acquire, request, response); }));
  return response.export_().name();
}

// What a call costs before it does anything: the session is found by its token, and a message comes back.
absl::Status GetExport(const Actor& actor) {
  v1::GetExportRequest request;
  request.set_name(actor.source);
  v1::Export seen;
  return actor.client->Call("GetExport", &v1::Broker::Stub::GetExport, request, seen);
}

absl::Status PingWithToken(const Actor& actor) {
  v1::PingRequest request;
  v1::PingResponse response;
  return actor.client->Call("Ping", &v1::Broker::Stub::Ping, request, response);
}

void Report(const CallSamples& took, Figures& figures) {
  const Floor ping = {.name = "Ping", .value = took.ping.Percentile(50)};
  figures.push_back(MakeTime("Ping", took.ping));
  figures.push_back(MakeTime("Ping with a token", took.ping_with_token, ping));
  figures.push_back(MakeTime("GetExport", took.get_export, ping));
  figures.push_back(MakeTime("CreateExport RAW, with its fd", took.raw, ping, RatioAtMost(1.3)));
  figures.push_back(MakeTime("Map", took.map, ping, RatioAtMost(1.3)));
  figures.push_back(MakeTime("Unmap", took.unmap, ping, RatioAtMost(1.3)));
  figures.push_back(MakeTime("Acquire, one importer", took.acquire, ping, RatioAtMost(1.5)));
}

}  // namespace

absl::Status BenchCalls(const Setup& setup, Figures& figures) {
  P2PD_ASSIGN_OR_RETURN(const Daemon daemon, Daemon::Simulated(setup.p2pd, 1));
  P2PD_ASSIGN_OR_RETURN(const Actor actor,
                        Actor::Join(daemon.sockets(), WindowOf(kExporter, 0, kWindowLength), ImporterName(0)));
  P2PD_ASSIGN_OR_RETURN(SimPart sim, SimPart::Create(MachineText(1)));
  Rounds rounds;
  CallSamples took(rounds);
  Discarded discarded(*actor.client);
  Samples& sim_grant = rounds.NewSamples();
  Samples& sim_map = rounds.NewSamples();
  Samples& sim_unmap = rounds.NewSamples();
  rounds.Add(setup.calls, [&] { return took.ping.Time([&] { return actor.client->Ping(); }); });
  rounds.Add(setup.calls, [&] { return took.ping_with_token.Time([&] { return PingWithToken(actor); }); });
  rounds.Add(setup.calls, [&] { return took.get_export.Time([&] { return GetExport(actor); }); });
  rounds.Add(
      setup.calls,
      [&] { return discarded.Add(GrantRaw(*actor.client, WindowOf(kExporter, kOwnWindow, kPage), took.raw)); },
      [&] { return discarded.DeleteAll(); });
  rounds.Add(setup.calls, [&] { return actor.MapAndUnmap(took.map, took.unmap); });
  rounds.Add(
      setup.calls, [&] { return discarded.Add(Acquire(actor, took.acquire)); }, [&] { return discarded.DeleteAll(); });
  rounds.Add(setup.calls, [&] { return sim_grant.Time([&] { return sim.Grant(); }).status(); });
  rounds.Add(setup.calls, [&]() -> absl::Status {
    P2PD_RETURN_IF_ERROR(sim_map.Time([&] { return sim.Map(); }));
    return sim_unmap.Time([&] { return sim.Unmap(); });
  });
  P2PD_RETURN_IF_ERROR(rounds.Run(setup.rounds));
  Report(took, figures);
  figures.push_back(MakeTime("SimKernel's part of CreateExport RAW", sim_grant));
  figures.push_back(MakeTime("SimKernel's part of Map", sim_map));
  figures.push_back(MakeTime("SimKernel's part of Unmap", sim_unmap));
  return absl::OkStatus();
}

}  // namespace p2pd::bench
