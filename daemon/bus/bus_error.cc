#include "daemon/bus/bus_error.h"

#include <systemd/sd-bus.h>

#include "absl/strings/str_cat.h"

namespace p2pd {

std::string BusErrorName(absl::StatusCode code) {
  constexpr char kOwn[] = "org.p2pd.Broker1.Error.";
  switch (code) {
    case absl::StatusCode::kPermissionDenied:
      return SD_BUS_ERROR_ACCESS_DENIED;
    case absl::StatusCode::kInvalidArgument:
      return SD_BUS_ERROR_INVALID_ARGS;
    case absl::StatusCode::kResourceExhausted:
      return SD_BUS_ERROR_LIMITS_EXCEEDED;
    case absl::StatusCode::kNotFound:
      return absl::StrCat(kOwn, "NotFound");
    case absl::StatusCode::kFailedPrecondition:
      return absl::StrCat(kOwn, "FailedPrecondition");
    case absl::StatusCode::kUnavailable:
      return absl::StrCat(kOwn, "Unavailable");
    case absl::StatusCode::kUnimplemented:
      return absl::StrCat(kOwn, "Unimplemented");
    default:
      return SD_BUS_ERROR_FAILED;
  }
}

}  // namespace p2pd
