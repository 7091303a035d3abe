// A Scheduler for tests: time stands still until Advance(), and nothing runs until Advance() or RunReady().
#ifndef P2PD_DAEMON_BASE_MANUAL_SCHEDULER_H_
#define P2PD_DAEMON_BASE_MANUAL_SCHEDULER_H_

#include <map>
#include <utility>

#include "daemon/base/mutex.h"
#include "daemon/base/scheduler.h"

namespace p2pd {

class ManualScheduler final : public Scheduler {
 public:
  absl::Duration Now() override;
  void Run(Task task) override { RunAfter(absl::ZeroDuration(), std::move(task)); }
  void RunAfter(absl::Duration delay, Task task) override;

  // Runs everything that is due, and what that makes due; returns how many tasks ran.
  int RunReady();
  // Moves time on, running each task at its own time.
  void Advance(absl::Duration by);

 private:
  // The tasks due at or before `until`, earliest first; an empty task when there is none.
  Task TakeDue(absl::Duration until);

  Mutex mutex_;
  absl::Duration now_ ABSL_GUARDED_BY(mutex_) = absl::ZeroDuration();
  std::multimap<absl::Duration, Task> tasks_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_BASE_MANUAL_SCHEDULER_H_
