#include "client/p2pctl/time_to_live.h"

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"

namespace p2p::ctl {
namespace {

constexpr absl::Duration kShortest = absl::Milliseconds(1);
constexpr absl::Duration kLongest = absl::Hours(24 * 365 * 10);

absl::Status Refuse(absl::string_view typed, absl::string_view what, absl::string_view hint) {
  return p2pd::MakeError(absl::StatusCode::kInvalidArgument,
                         {.reason = p2pd::Reason::kInvalidArgument, .hint = std::string(hint)},
                         absl::StrCat("'", typed, "' is not ", what));
}

}  // namespace

absl::StatusOr<absl::Duration> ParseTimeToLive(absl::string_view typed) {
  absl::Duration parsed;
  if (!absl::ParseDuration(typed, &parsed)) {
    return Refuse(typed, "a time with its unit", "write 500ms, 30s, 10m or 1h30m");
  }
  if (parsed < kShortest || parsed > kLongest) {
    return Refuse(typed, "a time that a window can live", "write 1ms to 87600h, which are ten years");
  }
  return parsed;
}

absl::StatusOr<std::string> TimeToLiveText(absl::string_view typed) {
  P2PD_RETURN_IF_ERROR(ParseTimeToLive(typed).status());
  return std::string(typed);
}

}  // namespace p2p::ctl
