// An absl::Status as gRPC sends it: the same code and message, and an ErrorDetail for programs in
// grpc-status-details-bin.
#ifndef P2PD_DAEMON_FRONT_GRPC_STATUS_H_
#define P2PD_DAEMON_FRONT_GRPC_STATUS_H_

#include "absl/status/status.h"
#include "grpcpp/support/status.h"

namespace p2pd {

grpc::Status ToGrpc(const absl::Status& status);

}  // namespace p2pd

#endif  // P2PD_DAEMON_FRONT_GRPC_STATUS_H_
