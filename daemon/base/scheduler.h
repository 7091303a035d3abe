// Time and threads, as parameters: what runs elsewhere, later or one at a time goes through these, so that
// a test decides when everything happens.
#ifndef P2PD_DAEMON_BASE_SCHEDULER_H_
#define P2PD_DAEMON_BASE_SCHEDULER_H_

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"

namespace p2pd {

using Task = absl::AnyInvocable<void()>;

class Scheduler {
 public:
  virtual ~Scheduler() = default;

  // Monotonic time since an epoch of its own (CLOCK_MONOTONIC in the daemon).
  virtual absl::Duration Now() = 0;

  // Runs `task` soon, on a thread that may block. Never runs it inside the call.
  virtual void Run(Task task) = 0;

  // Runs `task` once `delay` has passed, likewise. There is no cancel: a task checks, when it runs, whether
  // what it was for still stands.
  virtual void RunAfter(absl::Duration delay, Task task) = 0;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_BASE_SCHEDULER_H_
