// Who reads configuration space where this process may not.
#ifndef P2PD_DAEMON_DEVICE_CONFIG_SOURCE_H_
#define P2PD_DAEMON_DEVICE_CONFIG_SOURCE_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/base/pci_address.h"

namespace p2pd {

// The bytes of each of these functions' configuration spaces, in their order; or why they could not be had. May block,
// for a time that it limits itself. What it says is checked (config_facts.h).
using ConfigSource = std::function<std::vector<absl::StatusOr<std::string>>(const std::vector<PciAddress>&)>;

}  // namespace p2pd

#endif  // P2PD_DAEMON_DEVICE_CONFIG_SOURCE_H_
