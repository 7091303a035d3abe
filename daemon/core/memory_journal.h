// A journal that lives as long as its process: for tests, and for a p2pd of which nothing survives.
#ifndef P2PD_DAEMON_CORE_MEMORY_JOURNAL_H_
#define P2PD_DAEMON_CORE_MEMORY_JOURNAL_H_

#include <utility>

#include "daemon/core/state_journal.h"

namespace p2pd {

class MemoryJournal final : public StateJournal {
 public:
  using StateJournal::Append;
  absl::Status Append(absl::Span<const JournalEntry> entries) override;
  const JournalState& state() const override { return state_; }

  // The next Append fails with this, once.
  void FailNext(absl::Status status) { fail_next_ = std::move(status); }

 private:
  JournalState state_;
  absl::Status fail_next_;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_MEMORY_JOURNAL_H_
