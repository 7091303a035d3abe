// Which of core's events the administrator reads in the log, and how. Sessions are logged where they begin and end,
// in the front, which knows why.
#ifndef P2PD_DAEMON_BUS_EVENT_LOG_H_
#define P2PD_DAEMON_BUS_EVENT_LOG_H_

#include <map>
#include <optional>

#include "daemon/core/broker.h"
#include "daemon/service/log.h"

namespace p2pd {

class EventLog {
 public:
  // The entry that the event is worth, given those before it; often none.
  std::optional<LogEntry> EntryFor(const Event& event);

 private:
  std::optional<LogEntry> OfDevice(const DeviceView& device);

  std::map<PciAddress, DeviceState> states_;
};

// Of p2pd's own reload.
LogEntry EntryFor(const absl::StatusOr<ReloadView>& reload);

}  // namespace p2pd

#endif  // P2PD_DAEMON_BUS_EVENT_LOG_H_
