// What leads to a simulated machine's devices: host bridges and bridges, as the machine file describes them and
// completed, so that every bus is reached; and its processor.
#ifndef P2PD_DAEMON_KERNEL_SIM_HIERARCHY_SPEC_H_
#define P2PD_DAEMON_KERNEL_SIM_HIERARCHY_SPEC_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "daemon/base/pci_address.h"
#include "daemon/kernel/sim/device_spec.h"
#include "proto/p2pd/v1/simulation.pb.h"

namespace p2pd::sim {

// Function 00.0 of a root bus.
struct HostBridgeSpec {
  PciAddress address;
  uint16_t vendor = 0x8086;
  uint16_t device = 0x2020;  // Sky Lake-E: on the kernel's list of bridges that pass peer-to-peer requests
  int numa_node = -1;
};

struct BridgeSpec {
  PciAddress address;
  uint8_t secondary_bus = 0;
  p2pd::v1::SimulatedBridge::Kind kind = p2pd::v1::SimulatedBridge::ROOT_PORT;
  uint16_t vendor = 0x8086;
  uint16_t device = 0x2030;
  std::optional<uint16_t> acs_control;
  int numa_node = -1;
};

struct HierarchySpec {
  std::vector<HostBridgeSpec> host_bridges;
  std::vector<BridgeSpec> bridges;  // by address: what leads to one comes before it
  std::string cpu_vendor;
  uint32_t cpu_family = 0;
};

// Errors: InvalidArgument, naming the bridge and what is wrong with it.
absl::StatusOr<HierarchySpec> ParseHierarchy(const p2pd::v1::Simulation& simulation,
                                             absl::Span<const DeviceSpec> devices);

}  // namespace p2pd::sim

#endif  // P2PD_DAEMON_KERNEL_SIM_HIERARCHY_SPEC_H_
