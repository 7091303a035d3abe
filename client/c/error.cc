#include "client/c/error.h"

#include <cerrno>

#include "client/error.h"

namespace p2p::c {
namespace {

int CodeOf(const absl::Status& status) {
  if (status.ok()) return 0;
  if (IsDisconnected(status)) return -ENOTCONN;
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return -EINVAL;
    case absl::StatusCode::kNotFound:
      return -ENOENT;
    case absl::StatusCode::kPermissionDenied:
      return -EACCES;
    case absl::StatusCode::kAlreadyExists:
      return -EEXIST;
    case absl::StatusCode::kFailedPrecondition:
      return -EBUSY;
    case absl::StatusCode::kResourceExhausted:
      return -EDQUOT;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kAborted:
      return -EAGAIN;
    case absl::StatusCode::kDeadlineExceeded:
      return -ETIMEDOUT;
    case absl::StatusCode::kCancelled:
      return -ECANCELED;
    case absl::StatusCode::kUnimplemented:
      return -ENOTSUP;
    default:
      return -EIO;
  }
}

}  // namespace

int Tell(const absl::Status& status, p2p_error* error) {
  const int code = CodeOf(status);
  if (code == 0 || error == nullptr) return code;
  error->code = code;
  error->message = std::string(status.message());
  error->detail = GetErrorDetail(status);
  return code;
}

}  // namespace p2p::c

p2p_error* p2p_error_new() { return new p2p_error; }
void p2p_error_free(p2p_error* error) { delete error; }
const char* p2p_error_message(const p2p_error* error) { return error->message.c_str(); }
int p2p_error_code(const p2p_error* error) { return error->code; }
p2p_reason p2p_error_reason(const p2p_error* error) { return static_cast<p2p_reason>(error->detail.reason()); }
const char* p2p_error_step(const p2p_error* error) { return error->detail.step().c_str(); }
const char* p2p_error_object(const p2p_error* error) { return error->detail.object().c_str(); }
const char* p2p_error_hint(const p2p_error* error) { return error->detail.hint().c_str(); }
int p2p_error_errno(const p2p_error* error) { return error->detail.error_number(); }
