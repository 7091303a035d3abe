// The daemon's Scheduler: a few threads that may block (a reset can hold one for a minute) and one that
// waits for the next timer. Grows by a thread when all are busy, up to a limit; past that, tasks queue.
#ifndef P2PD_DAEMON_BASE_THREAD_SCHEDULER_H_
#define P2PD_DAEMON_BASE_THREAD_SCHEDULER_H_

#include <condition_variable>
#include <deque>
#include <map>
#include <thread>
#include <vector>

#include "daemon/base/mutex.h"
#include "daemon/base/scheduler.h"

namespace p2pd {

class ThreadScheduler final : public Scheduler {
 public:
  explicit ThreadScheduler(int max_threads = 64);
  // Waits for running tasks; what has not begun is dropped.
  ~ThreadScheduler() override;

  absl::Duration Now() override;
  void Run(Task task) override;
  void RunAfter(absl::Duration delay, Task task) override;

 private:
  void Work();
  void WaitForTimers();

  const int max_threads_;
  Mutex mutex_;
  std::condition_variable_any work_ready_;
  std::condition_variable_any timers_changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  int idle_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<Task> ready_ ABSL_GUARDED_BY(mutex_);
  std::multimap<absl::Duration, Task> timers_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> workers_ ABSL_GUARDED_BY(mutex_);
  std::thread timer_thread_;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_BASE_THREAD_SCHEDULER_H_
