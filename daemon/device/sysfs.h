// What sysfs says about the machine's PCI functions, read under an injected root ("/sys", or the tree that
// a simulated machine writes). Read once and passed on as values: nothing is looked up by path twice.
#ifndef P2PD_DAEMON_DEVICE_SYSFS_H_
#define P2PD_DAEMON_DEVICE_SYSFS_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/base/pci_address.h"
#include "daemon/kernel/kernel.h"

namespace p2pd {

// One line of a function's `resource` file: CPU physical addresses and the kernel's IORESOURCE flags.
struct PciResource {
  static constexpr uint64_t kIo = 0x100;
  static constexpr uint64_t kMemory = 0x200;
  static constexpr uint64_t kPrefetch = 0x2000;

  Range range;  // length 0: none
  uint64_t flags = 0;

  bool is_memory() const { return range.length != 0 && (flags & kMemory) != 0; }
  bool is_prefetchable() const { return (flags & kPrefetch) != 0; }
};

struct SysfsDevice {
  PciAddress address;
  uint16_t vendor = 0;
  uint16_t device = 0;
  uint32_t class_code = 0;
  std::string driver;    // "vfio-pci"; "" if none is bound
  std::string cdev;      // "vfio3"; "" if VFIO does not offer it, or only without an IOMMU
  int iommu_group = -1;  // -1: none
  int numa_node = -1;
  bool on_root_bus = false;
  std::optional<PciAddress> physical_function;  // of a virtual one
  bool has_sriov = false;                       // can have virtual functions
  std::vector<PciResource> resources;           // lines 0 to 5 are the BARs; later lines ROM and bridge windows

  bool is_virtual_function() const { return physical_function.has_value(); }
};

class Sysfs {
 public:
  explicit Sysfs(std::string root) : root_(std::move(root)) {}

  // Every PCI function, by address. Errors: NotFound (no PCI bus under this root). A function that vanishes
  // while it is read is left out.
  absl::StatusOr<std::vector<SysfsDevice>> Scan() const;

  // The virtual functions that are enabled of this function, by number; none where it cannot have any.
  std::vector<SysfsDevice> VirtualFunctionsOf(const PciAddress& address) const;

  // Those of the members of a reset set, without those that are members themselves: the kernel lists what is on the bus
  // or in the slot, and virtual functions may be on another.
  std::vector<SysfsDevice> VirtualFunctionsBeside(const std::vector<HotResetMember>& members) const;

  // The character device that VFIO offers for the function now ("vfio3"). Errors: FailedPrecondition.
  absl::StatusOr<std::string> FindCdev(const PciAddress& address) const;

 private:
  const std::string root_;
};

// The memory that any function or bridge of the machine decodes. An IOVA there could be routed to a
// neighbour by a switch before it reaches the IOMMU, so p2pd never uses one.
std::vector<Range> BusWindows(const std::vector<SysfsDevice>& devices);

// The devices of `devices` that must share an iommufd context: the closure of "one IOMMU group" and "reset
// together" (on one bus, unless it is a root bus or a virtual function), and those of one set of `merged`, which
// somebody wants to share one. Each set in ascending order.
std::vector<std::vector<PciAddress>> ContextClosure(const std::vector<SysfsDevice>& devices,
                                                    const std::vector<std::vector<PciAddress>>& merged = {});

}  // namespace p2pd

#endif  // P2PD_DAEMON_DEVICE_SYSFS_H_
