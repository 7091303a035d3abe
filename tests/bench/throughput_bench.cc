// How many calls sixteen clients get through together: Map and Unmap, beside Ping by the same sixteen.
#include <algorithm>
#include <chrono>
#include <thread>

#include "daemon/base/errors.h"
#include "tests/bench/scene.h"

namespace p2pd::bench {
namespace {

constexpr int kClients = 16;
constexpr std::chrono::milliseconds kTurn(500);
constexpr int kRoundsATurn = 5;  // one turn each for so many of the setup's rounds

using Clock = std::chrono::steady_clock;

// Counts over all turns of one kind.
struct Tally {
  uint64_t calls = 0;
  double seconds = 0;
  double rate() const { return seconds == 0 ? 0 : static_cast<double>(calls) / seconds; }
};

absl::StatusOr<uint64_t> PingUntil(const Actor& actor, Clock::time_point end) {
  uint64_t calls = 0;
  for (; Clock::now() < end; ++calls) P2PD_RETURN_IF_ERROR(actor.client->Ping());
  return calls;
}

absl::StatusOr<uint64_t> MapUntil(const Actor& actor, Clock::time_point end) {
  uint64_t calls = 0;
  for (; Clock::now() < end; calls += 2) {
    P2PD_ASSIGN_OR_RETURN(const std::string mapping, actor.client->MapPage(actor.source, actor.space));
    P2PD_RETURN_IF_ERROR(actor.client->Unmap(mapping));
  }
  return calls;
}

// All at once, a thread each.
absl::Status TakeTurn(const std::vector<Actor>& actors,
                      absl::StatusOr<uint64_t> (*run)(const Actor&, Clock::time_point), Tally& tally) {
  std::vector<absl::StatusOr<uint64_t>> outcomes(actors.size(), absl::StatusOr<uint64_t>(0));
  const auto began = Clock::now();
  std::vector<std::thread> threads;
  for (size_t i = 0; i < actors.size(); ++i) {
    threads.emplace_back([&, i] { outcomes[i] = run(actors[i], began + kTurn); });
  }
  for (std::thread& thread : threads) thread.join();
  tally.seconds += std::chrono::duration<double>(Clock::now() - began).count();
  for (const auto& outcome : outcomes) {
    if (!outcome.ok()) return outcome.status();
    tally.calls += *outcome;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status BenchThroughput(const Setup& setup, Figures& figures) {
  P2PD_ASSIGN_OR_RETURN(const Daemon daemon, Daemon::Simulated(setup.p2pd, kClients));
  std::vector<Actor> actors;
  for (int i = 0; i < kClients; ++i) {
    P2PD_ASSIGN_OR_RETURN(
        Actor actor, Actor::Join(daemon.sockets(), WindowOf(kExporter, i * kWindowLength, kPage), ImporterName(i)));
    actors.push_back(std::move(actor));
  }
  Tally warm_up;
  P2PD_RETURN_IF_ERROR(TakeTurn(actors, MapUntil, warm_up));
  Tally ping;
  Tally map;
  for (int i = 0; i < std::max(setup.rounds / kRoundsATurn, 1); ++i) {
    P2PD_RETURN_IF_ERROR(TakeTurn(actors, PingUntil, ping));
    P2PD_RETURN_IF_ERROR(TakeTurn(actors, MapUntil, map));
  }
  figures.push_back(MakeFigure("Map and Unmap, 16 clients", map.rate(), "calls/s",
                               Floor{.name = "Ping, 16 clients", .value = ping.rate()}, RatioAtLeast(0.8)));
  return absl::OkStatus();
}

}  // namespace p2pd::bench
