// p2pd's front as a whole: both sockets, one table of who holds how many connections.
#ifndef P2PD_DAEMON_FRONT_SERVER_H_
#define P2PD_DAEMON_FRONT_SERVER_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/base/scheduler.h"
#include "daemon/base/unique_fd.h"
#include "daemon/core/broker.h"
#include "daemon/front/connection_table.h"
#include "daemon/front/fd_server.h"
#include "daemon/front/grpc_server.h"
#include "daemon/front/listener.h"
#include "daemon/front/unread_fds.h"
#include "daemon/service/event_loop.h"

namespace p2pd {

struct ServerOptions {
  UniqueFd fd_socket;    // listening, SOCK_SEQPACKET
  UniqueFd grpc_socket;  // listening, SOCK_STREAM
  ConnectionLimits connections;
  UnreadFdLimits unread_fds;
  absl::Duration hello_deadline = absl::Seconds(5);
  GrpcService::Options grpc;
};

// Everything but the constructor and the destructor on the loop's thread.
class Server {
 public:
  // What is passed outlives the server. `workers` are threads that may block on what clients sent, and are
  // never the ones that core works on.
  static absl::StatusOr<std::unique_ptr<Server>> Start(EventLoop& loop, Broker& broker, Scheduler& workers,
                                                       ServerOptions options);

  // Newcomers wait in the sockets' queues from now on; sessions go on.
  void StopListening();

 private:
  Server(EventLoop& loop, Broker& broker, Scheduler& workers, const ServerOptions& options);

  ConnectionTable table_;
  UnreadFds unread_fds_;
  FdServer fd_server_;
  std::unique_ptr<GrpcServer> grpc_server_;
  std::unique_ptr<Listener> fd_listener_;
  std::unique_ptr<Listener> grpc_listener_;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_FRONT_SERVER_H_
