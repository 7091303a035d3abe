#include "daemon/core/request_log.h"

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"

namespace p2pd {

absl::StatusOr<RequestLog::Entry*> RequestLog::Find(const std::string& id, size_t fingerprint) {
  if (id.empty() || id.size() > kLongestId) {
    return MakeError(
        absl::StatusCode::kInvalidArgument,
        {.reason = Reason::kInvalidArgument, .step = "request_id", .hint = "make a new random one for each request"},
        absl::StrCat("must be 1 to ", kLongestId, " bytes long, not ", id.size()));
  }
  const auto entry = entries_.find(id);
  if (entry == entries_.end()) return nullptr;
  if (entry->second.fingerprint != fingerprint) {
    return MakeError(absl::StatusCode::kInvalidArgument,
                     {.reason = Reason::kRequestIdReused,
                      .step = "request_id",
                      .hint = "make a new random one for each request; repeat one only to retry the same request"},
                     "this session used it for another request");
  }
  return &entry->second;
}

void RequestLog::Forget() {
  // The last is always kept: its call may be tried again.
  while (ended_.size() > 1 && (ended_.size() > kRemembered || parts_ > kRememberedParts)) {
    const auto oldest = entries_.find(ended_.front());
    parts_ -= oldest->second.parts;
    entries_.erase(oldest);
    ended_.pop_front();
  }
}

}  // namespace p2pd
