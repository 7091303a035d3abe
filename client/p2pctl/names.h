// Names as people type them, turned into the names of the API.
#ifndef P2PD_CLIENT_P2PCTL_NAMES_H_
#define P2PD_CLIENT_P2PCTL_NAMES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace p2p::ctl {

// "01:00.0", "0000:01:00.0", "devices/0000:01:00.0" -> "devices/0000:01:00.0". Errors: InvalidArgument.
absl::StatusOr<std::string> DeviceName(absl::string_view typed);

// "5", "operations/5" -> "operations/5"; likewise the others. Errors: InvalidArgument.
absl::StatusOr<std::string> OperationName(absl::string_view typed);
absl::StatusOr<std::string> SessionName(absl::string_view typed);
absl::StatusOr<std::string> ExportName(absl::string_view typed);

// Of an option or operand that may be any text.
absl::StatusOr<std::string> AsTyped(absl::string_view typed);

// What can be revoked: "sessions/7" or "exports/12". A number alone could be either: InvalidArgument.
absl::StatusOr<std::string> RevocableName(absl::string_view typed);

// The candidate that `typed` was probably meant to be: the nearest, if it is at most two slips away.
std::string Nearest(absl::string_view typed, const std::vector<std::string>& candidates);

}  // namespace p2p::ctl

#endif  // P2PD_CLIENT_P2PCTL_NAMES_H_
