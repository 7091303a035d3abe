// Holds core's mutex, and remembers what must happen once it is free. Whatever may block or call out (a
// strand, a channel, somebody's callback) is put here and runs, in order, right after the unlock.
#ifndef P2PD_DAEMON_CORE_CORE_LOCK_H_
#define P2PD_DAEMON_CORE_CORE_LOCK_H_

#include <memory>
#include <utility>
#include <vector>

#include "daemon/base/mutex.h"
#include "daemon/base/scheduler.h"
#include "daemon/base/strand.h"

namespace p2pd {

class ABSL_SCOPED_LOCKABLE CoreLock {
 public:
  explicit CoreLock(Mutex& mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(mutex) { mutex_.Lock(); }
  ~CoreLock() ABSL_UNLOCK_FUNCTION() {
    mutex_.Unlock();
    for (Task& task : after_) task();
  }
  CoreLock(const CoreLock&) = delete;
  CoreLock& operator=(const CoreLock&) = delete;

  void After(Task task) { after_.push_back(std::move(task)); }

  // Queues `task` now, so that it keeps its place among what is decided under this lock; runs it after.
  void Post(const std::shared_ptr<Strand>& strand, Task task) {
    strand->Post(std::move(task));
    After([strand] { strand->RunPosted(); });
  }

 private:
  Mutex& mutex_;
  std::vector<Task> after_;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_CORE_LOCK_H_
