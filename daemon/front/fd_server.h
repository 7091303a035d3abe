// All fd channels: makes a connection of each newcomer, and keeps it until it has closed.
#ifndef P2PD_DAEMON_FRONT_FD_SERVER_H_
#define P2PD_DAEMON_FRONT_FD_SERVER_H_

#include <memory>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "daemon/base/unique_fd.h"
#include "daemon/front/connection_table.h"
#include "daemon/front/fd_connection.h"

namespace p2pd {

// On the loop's thread, as its connections are.
class FdServer {
 public:
  explicit FdServer(FdConnection::Surroundings around) : around_(std::move(around)) {}
  // Closes what is still open. The loop must not run any more.
  ~FdServer();
  FdServer(const FdServer&) = delete;
  FdServer& operator=(const FdServer&) = delete;

  // The sessions that a predecessor left and whose clients are still there.
  void TakeOver(ConnectionTable& table);

  // A connection without a lease is told why, and hung up on.
  void Adopt(UniqueFd connection, absl::StatusOr<ConnectionTable::Lease> lease);

 private:
  void TurnAway(UniqueFd connection, const absl::Status& why, ConnectionTable::Lease lease);

  const FdConnection::Surroundings around_;
  absl::flat_hash_map<FdConnection*, std::shared_ptr<FdConnection>> connections_;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_FRONT_FD_SERVER_H_
