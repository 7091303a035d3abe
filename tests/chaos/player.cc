#include "tests/chaos/player.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <utility>

namespace p2pd::chaos {

void Describe(CLI::App& app, PlayerOptions& options) {
  app.add_option("--fd-socket", options.fd_socket, "p2pd's fd channel")->required();
  app.add_option("--grpc-socket", options.grpc_socket, "p2pd's gRPC socket")->required();
  app.add_option("--seed", options.seed, "of what it does")->required();
}

absl::StatusOr<std::unique_ptr<p2p::Session>> Connect(const PlayerOptions& options, const std::string& name,
                                                      News& news) {
  p2p::SessionOptions session = {.fd_socket = options.fd_socket,
                                 .grpc_socket = options.grpc_socket,
                                 .client_name = name,
                                 .connect_timeout = absl::Seconds(20)};
  news.Subscribe(session);
  return p2p::Session::Connect(std::move(session));
}

bool AskedToEnd() {
  pollfd stdin_end = {.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  return poll(&stdin_end, 1, 0) > 0;
}

void EndOnSigbus() {
  signal(SIGBUS, [](int) { _exit(kMetSigbus); });
}

}  // namespace p2pd::chaos
