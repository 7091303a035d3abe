#include "client/grpc_error.h"

#include "absl/strings/cord.h"
#include "client/types.h"
#include "proto/p2pd/v1/rpc_status.pb.h"

namespace p2p::internal {

absl::Status FromGrpc(const grpc::Status& status) {
  // The two enums have the same values, by design of both.
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  v1::RpcStatus rpc_status;
  if (result.ok() || !rpc_status.ParseFromString(status.error_details())) return result;
  for (const auto& detail : rpc_status.details()) {
    if (!detail.Is<v1::ErrorDetail>()) continue;
    v1::ErrorDetail error;
    if (detail.UnpackTo(&error)) result.SetPayload(kErrorDetailUrl, absl::Cord(error.SerializeAsString()));
  }
  return result;
}

}  // namespace p2p::internal
