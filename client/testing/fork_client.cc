// A client that forks while it has a session; fork_test runs it. Exits with 0 if all is as session.h says, else with
// the line that says otherwise.
//
// usage: fork_client connect|before|after FD_SOCKET GRPC_SOCKET
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "client/error.h"
#include "client/session.h"

#define REQUIRE(condition)                              \
  do {                                                  \
    if (!(condition)) {                                 \
      fprintf(stderr, "%s:%d\n", #condition, __LINE__); \
      _exit(__LINE__ & 0x7f ? __LINE__ & 0x7f : 1);     \
    }                                                   \
  } while (false)

namespace {

constexpr char kExporter[] = "devices/0000:01:00.0";

struct Client {
  std::unique_ptr<p2p::Session> session;
  std::unique_ptr<p2p::Device> device;
  std::unique_ptr<p2p::Export> window;
};

// Meanwhile this process does `meanwhile`, again and again.
void InChild(const std::function<void()>& work, const std::function<void()>& meanwhile) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);
    work();
    _exit(0);
  }
  int status = 0;
  pid_t ended = 0;
  while (ended == 0) {
    meanwhile();
    ended = waitpid(child, &status, WNOHANG);
  }
  REQUIRE(ended == child);
  REQUIRE(status == 0);
}

// In the child: what it inherited is of no use, and does no harm when it goes.
void DropInherited(Client& client) {
  REQUIRE(p2p::IsDisconnected(client.session->ended()));
  REQUIRE(p2p::IsDisconnected(client.session->GetStatus().status()));
  REQUIRE(p2p::IsDisconnected(client.session->OpenDevice(kExporter).status()));
  REQUIRE(p2p::IsDisconnected(client.session->WithdrawMemory("any")));
  client.window.reset();
  client.device.reset();
  client.session.reset();
}

void ConnectAnew(const p2p::SessionOptions& options) {
  const auto session = p2p::Session::Connect(options);
  REQUIRE(session.ok());
  REQUIRE((*session)->GetStatus().ok());
  const auto window = (*session)->CreateExport({.device = kExporter, .bar = 2, .offset = 65536, .length = 4096});
  REQUIRE(window.ok());
  auto events = (*session)->Watch();
  REQUIRE(events->Next().ok());
}

void RequireAlive(Client& client) {
  REQUIRE(client.session->ended().ok());
  REQUIRE(client.session->GetExport(client.window->name()).ok());
  REQUIRE(client.session->GetDevice(kExporter)->driver_session() == client.session->name());
}

Client Open(const p2p::SessionOptions& options) {
  Client client;
  auto session = p2p::Session::Connect(options);
  REQUIRE(session.ok());
  client.session = *std::move(session);
  client.device = std::make_unique<p2p::Device>(*client.session->OpenDevice(kExporter));
  client.window = std::make_unique<p2p::Export>(
      *client.session->CreateExport({.device = kExporter, .bar = 2, .length = 65536, .grade = p2p::v1::RAW}));
  return client;
}

void ForkBefore(const p2p::SessionOptions& options) {
  InChild([&] { ConnectAnew(options); }, [] {});
  ConnectAnew(options);
}

void ForkAfter(const p2p::SessionOptions& options, char** argv) {
  Client client = Open(options);
  const auto events = client.session->Watch();
  std::thread watcher([&events] {
    while (events->Next().ok()) {
    }
  });
  const auto alive = [&client] { RequireAlive(client); };
  InChild(
      [&] {
        DropInherited(client);
        REQUIRE(p2p::IsDisconnected(events->Next().status()));
        events->Cancel();
        REQUIRE(p2p::Session::Connect(options).status().code() == absl::StatusCode::kFailedPrecondition);
      },
      alive);
  InChild([] {}, alive);  // leaks what it inherited
  InChild(
      [argv] {
        char connect[] = "connect";
        char* command[] = {argv[0], connect, argv[2], argv[3], nullptr};
        execv("/proc/self/exe", command);
      },
      alive);
  RequireAlive(client);
  events->Cancel();
  watcher.join();
}

}  // namespace

int main(int argc, char** argv) {
  REQUIRE(argc == 4);
  const std::string mode = argv[1];
  const p2p::SessionOptions options = {.fd_socket = argv[2], .grpc_socket = argv[3], .client_name = "fork_client"};
  if (mode == "connect") ConnectAnew(options);
  if (mode == "before") ForkBefore(options);
  if (mode == "after") ForkAfter(options, argv);
  return 0;
}
