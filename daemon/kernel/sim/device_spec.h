// A simulated device as the machine file describes it, checked, with the addresses that firmware would have
// given its BARs. Whatever else the simulation does may rely on a DeviceSpec being sound.
#ifndef P2PD_DAEMON_KERNEL_SIM_DEVICE_SPEC_H_
#define P2PD_DAEMON_KERNEL_SIM_DEVICE_SPEC_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/base/pci_address.h"
#include "daemon/kernel/kernel.h"
#include "proto/p2pd/v1/simulation.pb.h"

namespace p2pd::sim {

struct BarSpec {
  uint64_t size = 0;     // 0: no such BAR
  uint64_t address = 0;  // where the host sees it
  bool prefetchable = false;
  bool io = false;
  bool wide = false;  // 64 bits: the next BAR's register holds the upper half
};

struct MsixSpec {
  uint32_t vectors = 0;
  uint32_t bar = 0;
  uint64_t table_offset = 0;
  uint64_t pba_offset = 0;
};

struct DeviceSpec {
  PciAddress address;
  std::string cdev;  // "vfio0"
  uint16_t vendor = 0;
  uint16_t device = 0;
  uint32_t class_code = 0;
  uint32_t iommu_group = 0;
  int numa_node = -1;
  std::array<BarSpec, kNumBars> bars;
  bool resettable = true;
  absl::Duration reset_time;
  int dma_address_bits = 64;
  std::optional<MsixSpec> msix;
  std::optional<PciAddress> physical_function;  // of a virtual one; earlier in the list
  p2pd::v1::SimulatedDevice::ModelCase model = p2pd::v1::SimulatedDevice::MODEL_NOT_SET;
  p2pd::v1::Nvme nvme;

  // Devices behind a port are PCI Express; those on the root bus are conventional PCI, as in QEMU's q35.
  bool express() const { return address.bus != 0; }
};

// Errors: InvalidArgument, naming the device and what is wrong with it.
absl::StatusOr<std::vector<DeviceSpec>> ParseSimulation(const p2pd::v1::Simulation& simulation);

// Reads a machine file (protobuf text format). Errors: NotFound, InvalidArgument with line and column.
absl::StatusOr<p2pd::v1::Simulation> ReadSimulationFile(const std::string& path);

}  // namespace p2pd::sim

#endif  // P2PD_DAEMON_KERNEL_SIM_DEVICE_SPEC_H_
