// A request that changes anything is carried out once: a repeat of its request_id waits for the first, and gets the
// same answer. For the .cc files that have such requests.
#ifndef P2PD_DAEMON_CORE_ONCE_H_
#define P2PD_DAEMON_CORE_ONCE_H_

#include <string>
#include <utility>
#include <vector>

#include "daemon/core/core.h"
#include "daemon/core/standing.h"

namespace p2pd {

template <typename T, typename Body>
void Core::Once(SessionId session, const std::string& request_id, const std::string& fingerprint, Done<T> done,
                Body body) {
  CoreLock lock(mutex);
  SessionEntry* entry = tables.FindSession(session);
  if (entry == nullptr || entry->ended) {
    lock.After([done = std::move(done)]() mutable { done(SessionEnded()); });
    return;
  }
  const JournalRequest request = {.session = session, .id = request_id, .fingerprint = Digest(fingerprint)};
  auto repeat = entry->requests.Begin<T>(request_id, request.fingerprint, done);
  if (!repeat.ok()) {
    lock.After([done = std::move(done), status = repeat.status()]() mutable { done(status); });
    return;
  }
  if (repeat->has_value()) {
    auto& outcome = (**repeat).outcome;
    if (outcome.has_value()) {
      lock.After([done = std::move(done), outcome = *std::move(outcome)]() mutable { done(std::move(outcome)); });
    } else if ((*repeat)->recovered.has_value()) {
      lock.After([done = std::move(done), answer = Rebuilt<T>(tables, *(*repeat)->recovered)]() mutable {
        done(std::move(answer));
      });
    } else if ((*repeat)->carried_on) {
      const auto self = shared_from_this();
      entry->requests.Await(request_id, [self, done = std::move(done)](const JournalOutcome& ended) mutable {
        absl::StatusOr<T> answer;
        {
          CoreLock look(self->mutex);
          answer = Rebuilt<T>(self->tables, ended);
        }
        done(std::move(answer));
      });
    }
    return;
  }
  Done<T> finish = [self = shared_from_this(), request, done = std::move(done)](absl::StatusOr<T> outcome) mutable {
    std::vector<Done<T>> waiting;
    {
      CoreLock end(self->mutex);
      if (SessionEntry* asked = self->tables.FindSession(request.session)) {
        waiting = asked->requests.template End<T>(request.id, outcome);
        JournalEntries rows;
        if (outcome.ok()) Stand(*self, *outcome, rows);
        WriteAnswer(*self, request, SummaryOf(outcome), std::move(rows));
      }
    }
    for (Done<T>& other : waiting) other(outcome);
    done(std::move(outcome));
  };
  asking = request;
  const absl::Status status = body(lock, *entry, finish);
  asking.reset();
  if (!status.ok()) lock.After([finish = std::move(finish), status]() mutable { finish(status); });
}

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_ONCE_H_
