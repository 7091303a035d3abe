// Core's mutex, and what must happen once it is free. Whatever may block or call out (a strand, a channel,
// somebody's callback) is put into the lock and runs, in order, right after the unlock.
#ifndef P2PD_DAEMON_CORE_CORE_LOCK_H_
#define P2PD_DAEMON_CORE_CORE_LOCK_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "daemon/base/mutex.h"
#include "daemon/base/scheduler.h"
#include "daemon/base/strand.h"

namespace p2pd {

class ABSL_LOCKABLE CoreMutex : public Mutex {
 public:
  explicit CoreMutex(Scheduler& s) : scheduler(s) {}

  Scheduler& scheduler;  // for what the thread that holds the lock is not to run
};

class ABSL_SCOPED_LOCKABLE CoreLock {
 public:
  explicit CoreLock(CoreMutex& mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(mutex) { mutex_.Lock(); }
  ~CoreLock() ABSL_UNLOCK_FUNCTION() {
    mutex_.Unlock();
    for (Task& task : after_) task();
    RunPosted();
  }
  CoreLock(const CoreLock&) = delete;
  CoreLock& operator=(const CoreLock&) = delete;

  void After(Task task) { after_.push_back(std::move(task)); }

  // Queues `task` now, so that it keeps its place among what is decided under this lock. This thread runs it
  // afterwards, if it is the only one posted so and its turn has come; else one of the Scheduler's does.
  void Post(const std::shared_ptr<Strand>& strand, Task task) {
    posted_.emplace_back(strand, strand->Post(std::move(task)));
  }

 private:
  void RunPosted() {
    // Two of them are two strands', as a rule: neither is to wait for the other.
    const bool here = posted_.size() == 1;
    for (auto& [strand, number] : posted_) {
      if (here && !strand->RunMine(number)) continue;
      mutex_.scheduler.Run([strand = std::move(strand)] { strand->RunPosted(); });
    }
  }

  CoreMutex& mutex_;
  std::vector<Task> after_;
  std::vector<std::pair<std::shared_ptr<Strand>, uint64_t>> posted_;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_CORE_LOCK_H_
