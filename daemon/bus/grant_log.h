// What is granted and what of it ends, for the log: who has what, by which rule, and what took it.
#ifndef P2PD_DAEMON_BUS_GRANT_LOG_H_
#define P2PD_DAEMON_BUS_GRANT_LOG_H_

#include <map>
#include <optional>
#include <string>

#include "daemon/core/broker.h"
#include "daemon/service/log.h"

namespace p2pd {

class GrantLog {
 public:
  // The entry of a grant that the event begins or ends; none of any other event.
  std::optional<LogEntry> EntryFor(const Event& event);

 private:
  struct Grant;
  std::optional<LogEntry> OfDriver(const DeviceView& device);
  LogEntry Entry(const Grant& grant, bool begins);

  std::map<SessionId, PeerIdentity> peers_;  // of all sessions: their grants end before they do
  std::map<PciAddress, DeviceView> driven_;  // as they were granted
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_BUS_GRANT_LOG_H_
