// What this kernel can do of what p2pd needs, found by doing it once: never by a version.
#ifndef P2PD_DAEMON_CORE_CAPABILITIES_H_
#define P2PD_DAEMON_CORE_CAPABILITIES_H_

#include <vector>

#include "daemon/core/types.h"
#include "daemon/device/vfio_device.h"

namespace p2pd {

// `devices`: those that are bound; `idle`: those of them that nobody uses, which after a restart are not all. One of
// these is attached to a scratch IOAS for a moment, with a page of its window mapped in it. Blocks.
std::vector<CapabilityView> ProbeCapabilities(const std::vector<std::shared_ptr<VfioDevice>>& devices,
                                              const std::vector<std::shared_ptr<VfioDevice>>& idle);

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_CAPABILITIES_H_
