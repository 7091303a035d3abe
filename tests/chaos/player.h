// What the chaos's programs have in common: their options, and how they begin and end. They end politely when stdin
// does; a driver whose BAR does not answer any more gets SIGBUS, and ends there and then, saying so.
#ifndef P2PD_TESTS_CHAOS_PLAYER_H_
#define P2PD_TESTS_CHAOS_PLAYER_H_

#include <cstdint>
#include <string>

#include "CLI/CLI.hpp"
#include "client/session.h"
#include "tests/chaos/news.h"

namespace p2pd::chaos {

struct PlayerOptions {
  std::string fd_socket;
  std::string grpc_socket;
  uint64_t seed = 1;
};

// Adds the options that all have to `app`.
void Describe(CLI::App& app, PlayerOptions& options);

// A session whose news go to `news`, which outlives it.
absl::StatusOr<std::unique_ptr<p2p::Session>> Connect(const PlayerOptions& options, const std::string& name,
                                                      News& news);

// Whether stdin has ended.
bool AskedToEnd();

// Has SIGBUS end the process with kMetSigbus.
constexpr int kMetSigbus = 3;
void EndOnSigbus();

}  // namespace p2pd::chaos

#endif  // P2PD_TESTS_CHAOS_PLAYER_H_
