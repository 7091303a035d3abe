#include "daemon/front/grpc_server.h"

#include <sys/epoll.h>

#include <chrono>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/front/grpc_setup.h"
#include "daemon/service/log.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/security/server_credentials.h"

namespace p2pd {

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(EventLoop& loop, Broker& broker, Scheduler& workers,
                                                              GrpcService::Options options) {
  InitGrpcOnce();
  std::unique_ptr<GrpcServer> server(new GrpcServer(loop, broker, workers, std::move(options)));
  P2PD_RETURN_IF_ERROR(server->Build());
  return server;
}

GrpcServer::GrpcServer(EventLoop& loop, Broker& broker, Scheduler& workers, GrpcService::Options options)
    : loop_(loop), workers_(workers), service_(broker, loop, std::move(options)) {}

absl::Status GrpcServer::Build() {
  using ConnectionType = grpc::ServerBuilder::experimental_type::ExternalConnectionType;
  grpc::ServerBuilder builder;
  SetLimits(builder);
  builder.RegisterService(&service_);
  // Insecure: the kernel says who connects (the listener), the token says for which session a call is.
  acceptor_ =
      builder.experimental().AddExternalConnectionAcceptor(ConnectionType::FROM_FD, grpc::InsecureServerCredentials());
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) return absl::InternalError("gRPC could not start its server");
  server_->GetHealthCheckService()->SetServingStatus(v1::Broker::service_full_name(), true);
  return absl::OkStatus();
}

GrpcServer::~GrpcServer() {
  if (server_ == nullptr) return;
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
}

void GrpcServer::StopServing() { server_->GetHealthCheckService()->SetServingStatus(false); }

void GrpcServer::Adopt(UniqueFd connection, absl::StatusOr<ConnectionTable::Lease> lease) {
  if (!lease.ok()) {
    workers_.Run([connection = std::move(connection)]() mutable { connection.Reset(); });
    return;
  }
  auto duplicate = Duplicate(connection);
  const absl::Status tracked = duplicate.ok() ? Track(*std::move(duplicate), *std::move(lease)) : duplicate.status();
  if (!tracked.ok()) {
    Log(LogLevel::kWarning, absl::StrCat("a gRPC client could not be taken: ", std::string(tracked.message())));
    return;
  }
  grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
  parameters.fd = connection.Release();
  acceptor_->HandleNewConnection(&parameters);
}

absl::Status GrpcServer::Track(UniqueFd duplicate, ConnectionTable::Lease lease) {
  const uint64_t id = next_connection_++;
  // No events asked for: a hang-up is always told, and nothing else concerns us.
  P2PD_ASSIGN_OR_RETURN(EventLoop::Watch hung_up, loop_.WatchFd(duplicate, 0, [this, id](uint32_t) { Forget(id); }));
  connections_.emplace(
      id, Connection{.duplicate = std::move(duplicate), .lease = std::move(lease), .hung_up = std::move(hung_up)});
  return absl::OkStatus();
}

void GrpcServer::Forget(uint64_t id) {
  auto node = connections_.extract(id);
  // First: gRPC's copy keeps the socket open, and the loop would go on watching what it cannot find any more.
  node.mapped().hung_up.Reset();
  // Closing a stranger's socket closes what was sent into it, which can block.
  workers_.Run([duplicate = std::move(node.mapped().duplicate), lease = std::move(node.mapped().lease)]() mutable {
    duplicate.Reset();
  });
}

}  // namespace p2pd
