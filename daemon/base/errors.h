// How p2pd says what went wrong. An error is an absl::Status whose message is readable as it is, and which
// carries the same facts for programs: the reason, the step that failed, the object it failed on, the errno
// and a hint (likely cause, what to do). The front turns them into the ErrorDetail message of the API.
//
// errno becomes a status code here and nowhere else.
#ifndef P2PD_DAEMON_BASE_ERRORS_H_
#define P2PD_DAEMON_BASE_ERRORS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace p2pd {

// Why a request failed, for programs. The values are those of p2pd.v1.ErrorDetail.Reason.
enum class Reason {
  kUnspecified = 0,
  kKernel = 1,             // a kernel call failed: see step, object, errno
  kKernelUnsupported = 2,  // this kernel lacks the feature (ENOTTY, E2BIG)
  kPolicy = 3,             // no policy rule allows it, or one denies it
  kInvalidArgument = 4,    // the request is malformed
  kNotFound = 5,           // no such object, or not visible to the caller
  kNotOwner = 6,           // the object is another session's
  kOverlap = 7,            // another export or mapping is in the way
  kIovaUnusable = 8,       // the IOVA is reserved, a bridge window, or outside what the IOMMU can address
  kWindowUnusable = 9,     // outside the BAR, unaligned, or over an MSI-X page
  kQuota = 10,             // a limit is reached
  kDeviceBusy = 11,        // the device has a driver already
  kDeviceNotReady = 12,    // resetting, or waiting for its driver: try again after a Ready event
  kDeviceUnusable = 13,    // faulted, gone or tainted
  kSessionEnded = 14,      // unknown or ended session token
  kRequestIdReused = 15,   // the request_id was used for another request
  kMemoryUnsuitable = 16,  // the client's memfd is not sealed, not allocated or not writable
  kStaleGeneration = 17,   // the device was reset since
  kFellBehind = 18,        // a watcher left too many events unread
};

struct ErrorInfo {
  Reason reason = Reason::kUnspecified;
  std::string step;    // "IOMMU_IOAS_MAP_FILE", "CreateExport"
  std::string object;  // "devices/0000:01:00.0 BAR 2 [0x0, 0x1000)"
  int error = 0;       // an errno, 0 if the kernel was not involved
  std::string hint;    // the likely cause and what to do, one sentence
};

// A status whose message is "step: object: what (hint)"; `what` is the errno's text where there is one.
absl::Status MakeError(absl::StatusCode code, const ErrorInfo& info, absl::string_view what);

// A kernel call failed. The code follows from the errno; ENOTTY and E2BIG mean that this kernel lacks the
// call (Unimplemented), EPERM and EACCES never look like a denial by policy.
absl::Status ErrnoError(absl::string_view step, absl::string_view object, int error, absl::string_view hint = "");

// What `status` carries; an empty ErrorInfo for a status that was made elsewhere.
ErrorInfo GetErrorInfo(const absl::Status& status);

// The same status with a better hint, where its caller knows more.
absl::Status WithHint(const absl::Status& status, absl::string_view hint);

// The same status with its object in a larger whole: "part 3 of 8: exports/12".
absl::Status WithPart(const absl::Status& status, absl::string_view part);

// "EINVAL" for EINVAL.
std::string ErrnoName(int error);

}  // namespace p2pd

// Returns from the function with the status of `expr` unless that is OK.
#define P2PD_RETURN_IF_ERROR(expr)                              \
  do {                                                          \
    if (absl::Status p2pd_status = (expr); !p2pd_status.ok()) { \
      return p2pd_status;                                       \
    }                                                           \
  } while (false)

#define P2PD_CONCAT_INNER(a, b) a##b
#define P2PD_CONCAT(a, b) P2PD_CONCAT_INNER(a, b)

// P2PD_ASSIGN_OR_RETURN(auto value, Call()): declares `value`, or returns the call's error.
#define P2PD_ASSIGN_OR_RETURN(declaration, expr) \
  P2PD_ASSIGN_OR_RETURN_INNER(P2PD_CONCAT(p2pd_result_, __LINE__), declaration, expr)
#define P2PD_ASSIGN_OR_RETURN_INNER(result, declaration, expr) \
  auto result = (expr);                                        \
  if (!result.ok()) return result.status();                    \
  declaration = *std::move(result)

#endif  // P2PD_DAEMON_BASE_ERRORS_H_
