// Each mutating request runs once: a repeat of its request_id, while it runs or after, gets the outcome of
// the first. One log a session; guarded by core's lock. What it keeps is bounded, whatever was asked: of the
// request a digest, of outcomes as many as weigh no more than kRememberedParts.
//
// A successor fills it with what its predecessor's journal says: outcomes in their short form, of which whoever asks
// again makes an answer; and requests whose operations it carries on.
#ifndef P2PD_DAEMON_CORE_REQUEST_LOG_H_
#define P2PD_DAEMON_CORE_REQUEST_LOG_H_

#include <any>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/core/journal_entry.h"
#include "daemon/core/types.h"

namespace p2pd {

class RequestLog {
 public:
  static constexpr size_t kRemembered = 1024;
  static constexpr size_t kRememberedParts = 4096;  // a batch's outcome weighs as much as it has parts
  static constexpr size_t kLongestId = 64;

  // What became of a request that was begun before. With none of these it still runs, and `done` is kept for its end.
  template <typename T>
  struct Repeat {
    std::optional<absl::StatusOr<T>> outcome;
    std::optional<JournalOutcome> recovered;  // its predecessor's
    bool carried_on = false;                  // Await its end
  };

  // Begins the request, or says that it is a repeat. `fingerprint` tells requests apart that share an id.
  // Errors: InvalidArgument (no id, too long a one, or REQUEST_ID_REUSED). `done` is taken only for a
  // repeat that still runs.
  template <typename T>
  absl::StatusOr<std::optional<Repeat<T>>> Begin(const std::string& id, uint64_t fingerprint, Done<T>& done);

  // Notes the outcome; returns the calls that wait for it.
  template <typename T>
  std::vector<Done<T>> End(const std::string& id, const absl::StatusOr<T>& outcome);

  // ---- A successor's -----------------------------------------------------------------------------------

  using Waiter = absl::AnyInvocable<void(const JournalOutcome&)>;
  void Recover(const JournalOutcome& outcome);
  void CarryOn(const JournalRequest& request);
  void Await(const std::string& id, Waiter waiter) { entries_.at(id).waiters.push_back(std::move(waiter)); }
  // What was carried on is over: returns who waits for it. None where the log has no such request.
  std::vector<Waiter> EndCarriedOn(const JournalOutcome& outcome);

 private:
  struct Entry {
    uint64_t fingerprint = 0;
    size_t parts = 1;
    std::any running;  // std::shared_ptr<std::vector<Done<T>>> while it runs
    std::any outcome;  // absl::StatusOr<T> after
    std::optional<JournalOutcome> recovered;
    std::vector<Waiter> waiters;  // of what is carried on
  };

  // The entry of `id`, if it is a repeat of the same request.
  absl::StatusOr<Entry*> Find(const std::string& id, uint64_t fingerprint);
  void Ended(const std::string& id, size_t parts);
  void Forget();

  std::map<std::string, Entry> entries_;
  std::deque<std::string> ended_;  // oldest first
  size_t parts_ = 0;               // of those
};

// Tells requests apart: FNV-1a, the same in every build.
uint64_t Digest(absl::string_view fingerprint);

// How much of a log an outcome takes.
template <typename T>
size_t PartsOf(const T&) {
  return 1;
}
template <typename T>
size_t PartsOf(const std::vector<T>& outcome) {
  return 1 + outcome.size();
}
inline size_t PartsOf(const AcquiredView& outcome) { return 1 + outcome.mappings.size(); }
inline size_t PartsOf(const OperationView& outcome) { return 1 + outcome.mappings.size() + outcome.parties.size(); }

template <typename T>
absl::StatusOr<std::optional<RequestLog::Repeat<T>>> RequestLog::Begin(const std::string& id, uint64_t fingerprint,
                                                                       Done<T>& done) {
  absl::StatusOr<Entry*> found = Find(id, fingerprint);
  if (!found.ok()) return found.status();
  if (*found == nullptr) {
    entries_[id] = {.fingerprint = fingerprint, .running = std::make_shared<std::vector<Done<T>>>()};
    return std::optional<Repeat<T>>();
  }
  Entry& entry = **found;
  Repeat<T> repeat = {.recovered = entry.recovered};
  if (entry.outcome.has_value()) {
    repeat.outcome = std::any_cast<absl::StatusOr<T>>(entry.outcome);
  } else if (entry.running.has_value()) {
    std::any_cast<std::shared_ptr<std::vector<Done<T>>>&>(entry.running)->push_back(std::move(done));
  } else {
    repeat.carried_on = !entry.recovered.has_value();
  }
  return std::optional<Repeat<T>>(std::move(repeat));
}

template <typename T>
std::vector<Done<T>> RequestLog::End(const std::string& id, const absl::StatusOr<T>& outcome) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return {};
  auto waiting = std::any_cast<std::shared_ptr<std::vector<Done<T>>>>(found->second.running);
  found->second.running.reset();
  found->second.outcome = outcome;
  Ended(id, outcome.ok() ? PartsOf(*outcome) : 1);
  return std::move(*waiting);
}

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_REQUEST_LOG_H_
