// The line that "systemctl status" shows: "4 devices (1 TAINTED), 3 sessions, 41 mappings; slow: operations/5".
#ifndef P2PD_DAEMON_BUS_STATUS_LINE_H_
#define P2PD_DAEMON_BUS_STATUS_LINE_H_

#include <map>
#include <string>
#include <vector>

#include "daemon/core/types.h"

namespace p2pd {

// `devices` by whatever name; those that are of no use are counted by their state. `slow`: operations that take long.
std::string StatusLine(const StatusView& status, const std::map<std::string, DeviceView>& devices,
                       const std::vector<std::string>& slow);

}  // namespace p2pd

#endif  // P2PD_DAEMON_BUS_STATUS_LINE_H_
