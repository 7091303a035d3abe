// From gRPC's status to this library's: code and message as p2pd wrote them, its ErrorDetail as a payload.
#ifndef P2PD_CLIENT_GRPC_ERROR_H_
#define P2PD_CLIENT_GRPC_ERROR_H_

#include "absl/status/status.h"
#include "grpcpp/support/status.h"

namespace p2p::internal {

// The payload's key: an ErrorDetail's type URL, as absl::Status has it by custom.
inline constexpr char kErrorDetailUrl[] = "type.googleapis.com/p2pd.v1.ErrorDetail";

// Details that do not parse are left out; the code and the message always come through.
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace p2p::internal

#endif  // P2PD_CLIENT_GRPC_ERROR_H_
