#include "client/error.h"

#include <string>

#include "client/grpc_error.h"
#include "daemon/base/errors.h"

namespace p2p {

v1::ErrorDetail GetErrorDetail(const absl::Status& status) {
  v1::ErrorDetail detail;
  if (const auto payload = status.GetPayload(internal::kErrorDetailUrl); payload.has_value()) {
    detail.ParseFromString(std::string(*payload));
    return detail;
  }
  const p2pd::ErrorInfo info = p2pd::GetErrorInfo(status);
  detail.set_reason(static_cast<v1::ErrorDetail::Reason>(info.reason));
  detail.set_step(info.step);
  detail.set_object(info.object);
  detail.set_hint(info.hint);
  if (info.error != 0) {
    detail.set_error_number(info.error);
    detail.set_errno_name(p2pd::ErrnoName(info.error));
  }
  return detail;
}

bool IsDisconnected(const absl::Status& status) {
  if (status.ok()) return false;
  const v1::ErrorDetail::Reason reason = GetErrorDetail(status).reason();
  if (reason == v1::ErrorDetail::SESSION_ENDED) return true;
  return reason == v1::ErrorDetail::REASON_UNSPECIFIED && absl::IsUnavailable(status);
}

}  // namespace p2p
