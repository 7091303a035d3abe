// One thing at a time, without a thread of its own. Post() queues and never runs anything, so it may be called
// under a lock. What is queued is run by a thread that may block for as long as any of it takes (RunPosted), or,
// if its turn has come, by the thread that posted it, and nothing else with it (RunMine): whoever waits for that
// thread never waits for what others have posted. Tasks run in the order of their Post() calls.
#ifndef P2PD_DAEMON_BASE_STRAND_H_
#define P2PD_DAEMON_BASE_STRAND_H_

#include <cstdint>
#include <deque>

#include "absl/base/thread_annotations.h"
#include "daemon/base/mutex.h"
#include "daemon/base/scheduler.h"

namespace p2pd {

class Strand {
 public:
  // Returns the task's number, for RunMine.
  uint64_t Post(Task task) ABSL_LOCKS_EXCLUDED(mutex_);

  // Runs everything that is queued, unless another thread is at it, which then takes care of that.
  void RunPosted() ABSL_LOCKS_EXCLUDED(mutex_);

  // Runs that one task if nothing is before it. True if something is queued that no thread is at: RunPosted()
  // must then be called, elsewhere.
  [[nodiscard]] bool RunMine(uint64_t number) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // The first task, to be run by whoever takes it.
  Task Take() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Mutex mutex_;
  std::deque<Task> queue_ ABSL_GUARDED_BY(mutex_);
  uint64_t first_ ABSL_GUARDED_BY(mutex_) = 0;  // the number of the first that is queued
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_BASE_STRAND_H_
