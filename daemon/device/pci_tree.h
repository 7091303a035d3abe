// The machine's PCI functions and how they hang together, read from sysfs under an injected root and passed on as
// a value: what is switched off by a boot option or plugged in later shows in the next one that is read.
#ifndef P2PD_DAEMON_DEVICE_PCI_TREE_H_
#define P2PD_DAEMON_DEVICE_PCI_TREE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/base/pci_address.h"
#include "daemon/device/config_facts.h"
#include "daemon/device/config_source.h"

namespace p2pd {

struct PciFunction {
  PciAddress address;
  uint16_t vendor = 0;
  uint16_t device = 0;
  uint32_t class_code = 0;
  int iommu_group = -1;  // -1: none
  int numa_node = -1;
  std::string root_bus;                         // of its host bridge: "pci0000:00"
  std::optional<PciAddress> upstream;           // the bridge to its bus; none on a root bus
  std::optional<PciAddress> physical_function;  // of a virtual function
  ConfigFacts config;

  bool is_bridge() const { return class_code >> 8 == 0x0604; }
};

struct PciTree {
  std::map<PciAddress, PciFunction> functions;

  // Null if there is no such function.
  const PciFunction* Find(const PciAddress& address) const;
  // The function, the bridge above it, and so on to the root bus (drivers/pci: pci_upstream_bridge: a virtual
  // function's bridge is its physical function's). Empty if one of them is not there.
  std::vector<const PciFunction*> WayUp(const PciAddress& address) const;
};

// `source` is asked, once, for the configuration spaces that sysfs cuts short; without one they stay so. Errors:
// NotFound (no PCI bus under this root). A function that vanishes while it is read is left out.
absl::StatusOr<PciTree> ReadPciTree(const std::string& sysfs_root, const ConfigSource& source = nullptr);

}  // namespace p2pd

#endif  // P2PD_DAEMON_DEVICE_PCI_TREE_H_
