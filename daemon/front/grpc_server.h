// The gRPC socket's side: a server without a port of its own, which is handed connections that p2pd accepted.
//
// Invariant: a connection keeps its place in the connection table until its socket is shut down on both
// sides. gRPC owns the descriptor and does not say when it closes it, so a duplicate is kept to notice that.
#ifndef P2PD_DAEMON_FRONT_GRPC_SERVER_H_
#define P2PD_DAEMON_FRONT_GRPC_SERVER_H_

#include <cstdint>
#include <memory>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "daemon/base/scheduler.h"
#include "daemon/base/unique_fd.h"
#include "daemon/core/broker.h"
#include "daemon/front/connection_table.h"
#include "daemon/front/grpc_service.h"
#include "daemon/service/event_loop.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"

namespace p2pd {

class GrpcServer {
 public:
  // What is passed outlives the server; `workers` are threads that may block.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(EventLoop& loop, Broker& broker, Scheduler& workers,
                                                           GrpcService::Options options);
  // Cancels the calls in progress, waits for them, hangs up. The loop must not run any more.
  ~GrpcServer();
  GrpcServer(const GrpcServer&) = delete;
  GrpcServer& operator=(const GrpcServer&) = delete;

  // The loop's thread. A connection without a lease is hung up on.
  void Adopt(UniqueFd connection, absl::StatusOr<ConnectionTable::Lease> lease);

  // Health checks say NOT_SERVING from now on.
  void StopServing();

 private:
  struct Connection {
    UniqueFd duplicate;
    ConnectionTable::Lease lease;
    EventLoop::Watch hung_up;
  };

  GrpcServer(EventLoop& loop, Broker& broker, Scheduler& workers, GrpcService::Options options);
  absl::Status Build();
  absl::Status Track(UniqueFd duplicate, ConnectionTable::Lease lease);
  void Forget(uint64_t id);

  EventLoop& loop_;
  Scheduler& workers_;
  GrpcService service_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::unique_ptr<grpc::Server> server_;
  uint64_t next_connection_ = 0;
  absl::flat_hash_map<uint64_t, Connection> connections_;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_FRONT_GRPC_SERVER_H_
