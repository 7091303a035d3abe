// Waits for eventfds on the event loop, for core.
#ifndef P2PD_DAEMON_SERVICE_LOOP_SIGNALS_H_
#define P2PD_DAEMON_SERVICE_LOOP_SIGNALS_H_

#include <memory>

#include "daemon/core/signal_waiter.h"
#include "daemon/service/event_loop.h"

namespace p2pd {

// Thread-safe. The loop outlives it, and every Watch.
class LoopSignals final : public SignalWaiter {
 public:
  explicit LoopSignals(EventLoop& loop) : loop_(loop) {}

  // `on_signal` is called on the loop's thread.
  std::unique_ptr<Watch> Wait(UniqueFd eventfd, absl::AnyInvocable<void()> on_signal) override;

 private:
  EventLoop& loop_;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_SERVICE_LOOP_SIGNALS_H_
