#include "daemon/core/memory_journal.h"

#include <utility>

namespace p2pd {

absl::Status MemoryJournal::Write(const JournalRecord& record) {
  MutexLock lock(mutex_);
  if (!fail_next_.ok()) return std::exchange(fail_next_, absl::OkStatus());
  records_.push_back(record);
  if (records_.size() > capacity_) records_.pop_front();
  return absl::OkStatus();
}

std::deque<JournalRecord> MemoryJournal::records() const {
  MutexLock lock(mutex_);
  return records_;
}

void MemoryJournal::FailNext(absl::Status status) {
  MutexLock lock(mutex_);
  fail_next_ = std::move(status);
}

}  // namespace p2pd
