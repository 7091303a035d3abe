// How core waits for what the kernel signals through an eventfd. The daemon's event loop implements it; a test
// looks when it wants to.
#ifndef P2PD_DAEMON_CORE_SIGNAL_WAITER_H_
#define P2PD_DAEMON_CORE_SIGNAL_WAITER_H_

#include <memory>

#include "absl/functional/any_invocable.h"
#include "daemon/base/unique_fd.h"

namespace p2pd {

class SignalWaiter {
 public:
  // Waits for as long as it lives. May be dropped anywhere, under any lock.
  class Watch {
   public:
    virtual ~Watch() = default;
  };

  virtual ~SignalWaiter() = default;

  // Calls `on_signal` after each time that `eventfd` is signalled; never inside this call, and not under a lock of
  // its own. It must not block. One call may still come while the Watch goes.
  virtual std::unique_ptr<Watch> Wait(UniqueFd eventfd, absl::AnyInvocable<void()> on_signal) = 0;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_SIGNAL_WAITER_H_
