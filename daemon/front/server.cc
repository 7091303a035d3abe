#include "daemon/front/server.h"

#include <utility>
#include <vector>

#include "daemon/base/errors.h"

namespace p2pd {

Server::Server(EventLoop& loop, Broker& broker, Scheduler& workers, const ServerOptions& options)
    : table_(options.connections),
      unread_fds_(options.unread_fds),
      fd_server_({.loop = loop,
                  .broker = broker,
                  .workers = workers,
                  .unread_fds = unread_fds_,
                  .version = options.grpc.version,
                  .hello_deadline = options.hello_deadline}) {}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(EventLoop& loop, Broker& broker, Scheduler& workers,
                                                      ServerOptions options) {
  std::unique_ptr<Server> server(new Server(loop, broker, workers, options));
  options.grpc.usage = [server = server.get()](uint32_t uid) {
    return std::vector<UsageView>{server->table_.Usage(uid), server->unread_fds_.Usage(uid)};
  };
  P2PD_ASSIGN_OR_RETURN(server->grpc_server_, GrpcServer::Start(loop, broker, workers, options.grpc));
  server->fd_server_.TakeOver(server->table_);
  P2PD_ASSIGN_OR_RETURN(server->fd_listener_,
                        Listener::Start(loop, server->table_, "fd", std::move(options.fd_socket),
                                        [fd_server = &server->fd_server_](UniqueFd connection, auto lease) {
                                          fd_server->Adopt(std::move(connection), std::move(lease));
                                        }));
  P2PD_ASSIGN_OR_RETURN(server->grpc_listener_,
                        Listener::Start(loop, server->table_, "gRPC", std::move(options.grpc_socket),
                                        [grpc_server = server->grpc_server_.get()](UniqueFd connection, auto lease) {
                                          grpc_server->Adopt(std::move(connection), std::move(lease));
                                        }));
  return server;
}

void Server::StopListening() {
  fd_listener_.reset();
  grpc_listener_.reset();
  grpc_server_->StopServing();
}

}  // namespace p2pd
