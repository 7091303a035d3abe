// Everything that decides by which way DMA goes between two PCI functions, read at one time; a value. What follows
// from it for a pair is path_verdict.h's.
#ifndef P2PD_DAEMON_DEVICE_TOPOLOGY_H_
#define P2PD_DAEMON_DEVICE_TOPOLOGY_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "daemon/device/config_source.h"
#include "daemon/device/host_bridges.h"
#include "daemon/device/pci_tree.h"

namespace p2pd {

struct Topology {
  PciTree tree;
  std::map<std::string, HostBridge> host_bridges;  // by the name of the root bus
};

// Errors: those of ReadPciTree. A processor that cannot be told makes host bridges unknown, no error.
absl::StatusOr<Topology> ReadTopology(const std::string& sysfs_root, const std::string& cpuinfo,
                                      const ConfigSource& source = nullptr);

}  // namespace p2pd

#endif  // P2PD_DAEMON_DEVICE_TOPOLOGY_H_
