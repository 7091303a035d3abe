// Every PCI function of a simulated machine as sysfs would show it: the devices, and the bridges that lead to them
// with the memory windows that they would decode.
#ifndef P2PD_DAEMON_KERNEL_SIM_PCI_LAYOUT_H_
#define P2PD_DAEMON_KERNEL_SIM_PCI_LAYOUT_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "daemon/base/pci_address.h"
#include "daemon/kernel/kernel.h"
#include "daemon/kernel/sim/device_spec.h"
#include "daemon/kernel/sim/hierarchy_spec.h"

namespace p2pd::sim {

// A line of a function's `resource`.
struct Resource {
  Range range;
  uint64_t flags = 0;
};

// One folder of devices/.
struct Function {
  PciAddress address;
  std::filesystem::path path;  // under the tree
  uint16_t vendor = 0;
  uint16_t device = 0;
  uint32_t class_code = 0;
  uint32_t group = 0;
  int numa_node = -1;
  std::vector<Resource> resources = {};
  std::vector<uint8_t> config = {};
  std::string cdev = "";  // "" for what is not bound to vfio-pci
  bool resettable = false;
  std::string physical_function = "";  // of a virtual one
};

// Parents first.
std::vector<Function> Layout(absl::Span<const DeviceSpec> devices, const HierarchySpec& hierarchy);

}  // namespace p2pd::sim

#endif  // P2PD_DAEMON_KERNEL_SIM_PCI_LAYOUT_H_
