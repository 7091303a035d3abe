#include "daemon/base/errors.h"

#include <cerrno>
#include <cstring>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace p2pd {
namespace {

// Payload keys. Each fact is its own payload, as text: no format of our own to parse.
constexpr char kReasonKey[] = "p2pd/reason";
constexpr char kStepKey[] = "p2pd/step";
constexpr char kObjectKey[] = "p2pd/object";
constexpr char kErrnoKey[] = "p2pd/errno";
constexpr char kHintKey[] = "p2pd/hint";
constexpr char kWhatKey[] = "p2pd/what";

void SetPayload(absl::Status& status, const char* key, absl::string_view value) {
  if (!value.empty()) status.SetPayload(key, absl::Cord(value));
}

std::string Payload(const absl::Status& status, const char* key) {
  const auto payload = status.GetPayload(key);
  return payload.has_value() ? std::string(*payload) : std::string();
}

absl::StatusCode CodeOf(int error) {
  switch (error) {
    case ENOTTY:
    case E2BIG:
    case EOPNOTSUPP:
    case ENOSYS:
      return absl::StatusCode::kUnimplemented;
    case EINVAL:
    case EOVERFLOW:
    case EFAULT:
    case EMSGSIZE:
      return absl::StatusCode::kInvalidArgument;
    case EEXIST:
      return absl::StatusCode::kAlreadyExists;
    case ENOENT:
      return absl::StatusCode::kNotFound;
    case ENOSPC:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EDQUOT:
      return absl::StatusCode::kResourceExhausted;
    case EAGAIN:
    case EBUSY:
    case EINTR:
      return absl::StatusCode::kUnavailable;
    case ENODEV:
    case EADDRINUSE:
    case EPERM:
    case EACCES:
      return absl::StatusCode::kFailedPrecondition;
    default:
      return absl::StatusCode::kInternal;
  }
}

}  // namespace

std::string ErrnoName(int error) {
  const char* name = strerrorname_np(error);
  return name != nullptr ? name : absl::StrCat("errno ", error);
}

absl::Status MakeError(absl::StatusCode code, const ErrorInfo& info, absl::string_view what) {
  std::string message = info.step;
  if (!info.object.empty()) absl::StrAppend(&message, message.empty() ? "" : ": ", info.object);
  absl::StrAppend(&message, message.empty() ? "" : ": ", what);
  if (!info.hint.empty()) absl::StrAppend(&message, " (", info.hint, ")");
  absl::Status status(code, message);
  SetPayload(status, kReasonKey, absl::StrCat(static_cast<int>(info.reason)));
  SetPayload(status, kStepKey, info.step);
  SetPayload(status, kObjectKey, info.object);
  SetPayload(status, kHintKey, info.hint);
  SetPayload(status, kWhatKey, what);
  if (info.error != 0) SetPayload(status, kErrnoKey, absl::StrCat(info.error));
  return status;
}

absl::Status ErrnoError(absl::string_view step, absl::string_view object, int error, absl::string_view hint) {
  const absl::StatusCode code = CodeOf(error);
  const ErrorInfo info = {
      .reason = code == absl::StatusCode::kUnimplemented ? Reason::kKernelUnsupported : Reason::kKernel,
      .step = std::string(step),
      .object = std::string(object),
      .error = error,
      .hint = std::string(hint),
  };
  return MakeError(code, info, absl::StrCat(strerror(error), " [", ErrnoName(error), "]"));
}

ErrorInfo GetErrorInfo(const absl::Status& status) {
  ErrorInfo info;
  int reason = 0;
  if (absl::SimpleAtoi(Payload(status, kReasonKey), &reason)) info.reason = static_cast<Reason>(reason);
  info.step = Payload(status, kStepKey);
  info.object = Payload(status, kObjectKey);
  info.hint = Payload(status, kHintKey);
  if (int error = 0; absl::SimpleAtoi(Payload(status, kErrnoKey), &error)) info.error = error;
  return info;
}

namespace {

// The same status, but for `info`.
absl::Status Again(const absl::Status& status, const ErrorInfo& info) {
  const std::string what = Payload(status, kWhatKey);
  return MakeError(status.code(), info, what.empty() ? status.message() : what);
}

}  // namespace

absl::Status WithHint(const absl::Status& status, absl::string_view hint) {
  if (status.ok()) return status;
  ErrorInfo info = GetErrorInfo(status);
  info.hint = std::string(hint);
  return Again(status, info);
}

absl::Status WithPart(const absl::Status& status, absl::string_view part) {
  if (status.ok()) return status;
  ErrorInfo info = GetErrorInfo(status);
  info.object = info.object.empty() ? std::string(part) : absl::StrCat(part, ": ", info.object);
  return Again(status, info);
}

}  // namespace p2pd
