// A Journal that lives as long as its process: for tests, and for a daemon that is not to survive.
#ifndef P2PD_DAEMON_CORE_MEMORY_JOURNAL_H_
#define P2PD_DAEMON_CORE_MEMORY_JOURNAL_H_

#include <deque>

#include "daemon/base/mutex.h"
#include "daemon/core/journal.h"

namespace p2pd {

class MemoryJournal final : public Journal {
 public:
  // Keeps the last `capacity` records.
  explicit MemoryJournal(size_t capacity = 4096) : capacity_(capacity) {}

  absl::Status Write(const JournalRecord& record) override;
  std::deque<JournalRecord> records() const;
  // The next write fails with this, once.
  void FailNext(absl::Status status);

 private:
  const size_t capacity_;
  mutable Mutex mutex_;
  std::deque<JournalRecord> records_ ABSL_GUARDED_BY(mutex_);
  absl::Status fail_next_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_MEMORY_JOURNAL_H_
