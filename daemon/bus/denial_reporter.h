// Tells what the policy refused: each refusal at once, and those that are only counted when their minute is over.
//
// On the loop's thread.
#ifndef P2PD_DAEMON_BUS_DENIAL_REPORTER_H_
#define P2PD_DAEMON_BUS_DENIAL_REPORTER_H_

#include <functional>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "daemon/bus/denial_log.h"
#include "daemon/core/broker.h"
#include "daemon/service/event_loop.h"
#include "daemon/service/log.h"

namespace p2pd {

class DenialReporter {
 public:
  using Tell = std::function<void(const LogEntry&)>;
  using Clock = std::function<absl::Time()>;

  // The loop outlives the reporter.
  explicit DenialReporter(
      EventLoop& loop, Tell tell = [](const LogEntry& entry) { Log(entry); }, Clock now = absl::Now);

  void Note(const Denial& denial);

 private:
  // Without a timer the next refusal tells.
  void WaitForFlush();

  EventLoop& loop_;
  const Tell tell_;
  const Clock now_;
  DenialLog log_;
  bool waiting_ = false;
  EventLoop::Watch timer_;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_BUS_DENIAL_REPORTER_H_
