// The facts that a policy judges by, from what p2pd knows of devices and of the way between them. Pure.
#ifndef P2PD_DAEMON_CORE_REQUEST_FACTS_H_
#define P2PD_DAEMON_CORE_REQUEST_FACTS_H_

#include "daemon/core/types.h"
#include "daemon/device/path_verdict.h"
#include "daemon/device/topology.h"
#include "policy/policy.h"

namespace p2pd {

// ATS is told only where it cannot change: the kernel turns it on when it attaches a device that has it.
DeviceFacts FactsOf(const DeviceView& device, const Topology& topology);

WindowFacts FactsOf(const Window& window, bool control);

// What p2pd maps lies at IOVAs, in no bridge's window: requests go up to the host bridges, whatever switch the two
// devices share. So a way counts as supported where those are known good, whether or not the kernel, which asks about
// bus addresses, would call it good too. A device's way to itself never does.
PathFacts FactsOf(const PathVerdict& verdict);

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_REQUEST_FACTS_H_
