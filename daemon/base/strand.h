// One thing at a time, without a thread of its own. Post() queues and never runs anything, so it may be
// called under a lock; RunPosted() runs what is queued on the calling thread, unless another thread is at
// it already, which then runs this thread's tasks too. Tasks run in the order of their Post() calls.
#ifndef P2PD_DAEMON_BASE_STRAND_H_
#define P2PD_DAEMON_BASE_STRAND_H_

#include <deque>

#include "absl/base/thread_annotations.h"
#include "daemon/base/mutex.h"
#include "daemon/base/scheduler.h"

namespace p2pd {

class Strand {
 public:
  void Post(Task task) ABSL_LOCKS_EXCLUDED(mutex_);
  void RunPosted() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Mutex mutex_;
  std::deque<Task> queue_ ABSL_GUARDED_BY(mutex_);
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_BASE_STRAND_H_
