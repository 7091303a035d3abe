#include "daemon/core/request_log.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"

namespace p2pd {

absl::StatusOr<RequestLog::Entry*> RequestLog::Find(const std::string& id, uint64_t fingerprint) {
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

void RequestLog::Recover(const JournalOutcome& outcome) {
  entries_[outcome.request_id] = {.fingerprint = outcome.fingerprint, .recovered = outcome};
  Ended(outcome.request_id, 1 + outcome.parts.size());
}

void RequestLog::CarryOn(const JournalRequest& request) { entries_[request.id] = {.fingerprint = request.fingerprint}; }

std::vector<RequestLog::Waiter> RequestLog::EndCarriedOn(const JournalOutcome& outcome) {
  const auto found = entries_.find(outcome.request_id);
  if (found == entries_.end()) return {};
  found->second.recovered = outcome;
  std::vector<Waiter> waiters = std::exchange(found->second.waiters, {});
  Ended(outcome.request_id, 1 + outcome.parts.size());
  return waiters;
}

void RequestLog::Ended(const std::string& id, size_t parts) {
  entries_.at(id).parts = parts;
  parts_ += parts;
  ended_.push_back(id);
  Forget();
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

uint64_t Digest(absl::string_view fingerprint) {
  uint64_t digest = 0xcbf29ce484222325;
  for (const unsigned char byte : fingerprint) digest = (digest ^ byte) * 0x100000001b3;
  return digest;
}

}  // namespace p2pd
