// Windows of BARs as people type them: 01:00.0/2/64K+2M is 2 MiB of BAR 2, from 64 KiB on.
#ifndef P2PD_CLIENT_P2PCTL_WINDOW_H_
#define P2PD_CLIENT_P2PCTL_WINDOW_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/session.h"

namespace p2p::ctl {

// Bytes: "4096", "0x1000", "64K", "2M", "1G", "1T" (powers of 1024). Errors: InvalidArgument.
absl::StatusOr<uint64_t> ParseSize(absl::string_view typed);

// "BDF/BAR+LENGTH", "BDF/BAR/OFFSET+LENGTH". Errors: InvalidArgument.
absl::StatusOr<WindowOptions> ParseWindow(absl::string_view typed);

// For command lines: `typed` as it is, if it is a window.
absl::StatusOr<std::string> WindowText(absl::string_view typed);

}  // namespace p2p::ctl

#endif  // P2PD_CLIENT_P2PCTL_WINDOW_H_
