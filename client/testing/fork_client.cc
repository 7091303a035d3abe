// A client that forks while it has a session; fork_test runs it. Exits with 0 if all is as session.h says, else with
// the line that says otherwise.
//
// usage: fork_client idle|busy FD_SOCKET GRPC_SOCKET
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <future>
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
  p2p::SessionOptions options;
  std::unique_ptr<p2p::Session> session;
  std::unique_ptr<p2p::Device> device;
  std::unique_ptr<p2p::Export> window;
};

template <typename Work>
void InChild(const Work& work) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);
    work();
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
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

void ForkIdle(Client& client) {
  InChild([&] {
    DropInherited(client);
    ConnectAnew(client.options);
    InChild([&] { ConnectAnew(client.options); });
  });
  RequireAlive(client);
  InChild([] {});  // leaks what it inherited
  InChild([&] { ConnectAnew(client.options); });
  RequireAlive(client);
}

// Forks while the other thread waits for p2pd's answer, which the test withholds until Ping.
void ForkBusy(Client& client, std::future<void> in_a_call) {
  std::thread caller([&] { REQUIRE(client.session->GetStatus().ok()); });
  in_a_call.wait();
  InChild([&] {
    const absl::Status status = p2p::Session::Connect(client.options).status();
    REQUIRE(status.code() == absl::StatusCode::kFailedPrecondition);
  });
  REQUIRE(client.session->Ping().ok());
  caller.join();
  RequireAlive(client);
}

}  // namespace

int main(int argc, char** argv) {
  REQUIRE(argc == 4);
  Client client = {.options = {.fd_socket = argv[2], .grpc_socket = argv[3], .client_name = "fork_client"}};
  p2p::SessionOptions options = client.options;
  std::promise<void> in_a_call;
  options.on_resumed = [&in_a_call](const p2p::v1::Resumed&) { in_a_call.set_value(); };
  auto session = p2p::Session::Connect(options);
  REQUIRE(session.ok());
  client.session = *std::move(session);
  client.device = std::make_unique<p2p::Device>(*client.session->OpenDevice(kExporter));
  client.window = std::make_unique<p2p::Export>(
      *client.session->CreateExport({.device = kExporter, .bar = 2, .length = 65536, .grade = p2p::v1::RAW}));
  if (std::string(argv[1]) == "idle") {
    ForkIdle(client);
  } else {
    ForkBusy(client, in_a_call.get_future());
  }
  return 0;
}
