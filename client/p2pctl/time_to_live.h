// Times to live as people type them: 30s, 1h30m.
#ifndef P2PD_CLIENT_P2PCTL_TIME_TO_LIVE_H_
#define P2PD_CLIENT_P2PCTL_TIME_TO_LIVE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace p2p::ctl {

// 1 ms to 10 years, as p2pd takes them. Errors: InvalidArgument.
absl::StatusOr<absl::Duration> ParseTimeToLive(absl::string_view typed);

// For command lines: `typed` as it is, if it is a time to live.
absl::StatusOr<std::string> TimeToLiveText(absl::string_view typed);

}  // namespace p2p::ctl

#endif  // P2PD_CLIENT_P2PCTL_TIME_TO_LIVE_H_
