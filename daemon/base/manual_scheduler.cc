#include "daemon/base/manual_scheduler.h"

#include <algorithm>

namespace p2pd {

absl::Duration ManualScheduler::Now() {
  MutexLock lock(mutex_);
  return now_;
}

void ManualScheduler::RunAfter(absl::Duration delay, Task task) {
  MutexLock lock(mutex_);
  tasks_.emplace(now_ + std::max(delay, absl::ZeroDuration()), std::move(task));
}

Task ManualScheduler::TakeDue(absl::Duration until) {
  MutexLock lock(mutex_);
  if (tasks_.empty() || tasks_.begin()->first > until) return nullptr;
  auto node = tasks_.extract(tasks_.begin());
  now_ = std::max(now_, node.key());
  return std::move(node.mapped());
}

int ManualScheduler::RunReady() {
  int ran = 0;
  for (Task task; (task = TakeDue(Now())); ++ran) task();
  return ran;
}

void ManualScheduler::Advance(absl::Duration by) {
  const absl::Duration until = Now() + by;
  for (Task task; (task = TakeDue(until));) task();
  MutexLock lock(mutex_);
  now_ = until;
}

}  // namespace p2pd
