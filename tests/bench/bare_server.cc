// A gRPC server as p2pd builds its own, whose service does nothing, and nothing else: what idling costs with gRPC
// alone. Says READY=1 as sd_notify does, and serves until it is killed.
#include <signal.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

#include <chrono>

#include "daemon/front/grpc_setup.h"
#include "grpcpp/security/server_credentials.h"
#include "proto/p2pd/v1/broker.grpc.pb.h"

int main() {
  using ConnectionType = grpc::ServerBuilder::experimental_type::ExternalConnectionType;
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigprocmask(SIG_BLOCK, &stop, nullptr);
  p2pd::InitGrpcOnce();
  p2pd::v1::Broker::CallbackService service;
  grpc::ServerBuilder builder;
  p2pd::SetLimits(builder);
  builder.RegisterService(&service);
  const auto acceptor =
      builder.experimental().AddExternalConnectionAcceptor(ConnectionType::FROM_FD, grpc::InsecureServerCredentials());
  const auto server = builder.BuildAndStart();
  if (server == nullptr) return EXIT_FAILURE;
  sd_notify(0, "READY=1");
  int signal = 0;
  sigwait(&stop, &signal);
  server->Shutdown(std::chrono::system_clock::now());
  return EXIT_SUCCESS;
}
