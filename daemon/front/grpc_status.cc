#include "daemon/front/grpc_status.h"

#include <string>

#include "daemon/base/errors.h"
#include "proto/p2pd/v1/broker.pb.h"
#include "proto/p2pd/v1/rpc_status.pb.h"

namespace p2pd {
namespace {

v1::ErrorDetail DetailOf(const absl::Status& status) {
  const ErrorInfo info = GetErrorInfo(status);
  v1::ErrorDetail detail;
  detail.set_reason(static_cast<v1::ErrorDetail::Reason>(info.reason));
  detail.set_step(info.step);
  detail.set_object(info.object);
  detail.set_error_number(info.error);
  if (info.error != 0) detail.set_errno_name(ErrnoName(info.error));
  detail.set_hint(info.hint);
  return detail;
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  v1::RpcStatus details;
  details.set_code(static_cast<int>(status.code()));
  details.set_message(std::string(status.message()));
  details.add_details()->PackFrom(DetailOf(status));
  // The codes of absl and of gRPC are the same numbers.
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()),
                      details.SerializeAsString());
}

}  // namespace p2pd
