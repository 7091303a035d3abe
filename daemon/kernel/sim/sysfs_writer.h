// Writes what sysfs would show of a simulated machine, in the layout of the real one: functions under
// devices/, below the bridges that lead to them, and links to them under bus/pci/devices and in their IOMMU
// groups; and of /proc what tells the processor. A snapshot, until it is told what changed.
#ifndef P2PD_DAEMON_KERNEL_SIM_SYSFS_WRITER_H_
#define P2PD_DAEMON_KERNEL_SIM_SYSFS_WRITER_H_

#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "daemon/kernel/sim/device_spec.h"
#include "daemon/kernel/sim/hierarchy_spec.h"

namespace p2pd::sim {

// `dir` is to be /sys; it exists and has no such tree yet. dir/proc/cpuinfo is what /proc has beside it.
absl::Status WriteSysfs(const std::string& dir, absl::Span<const DeviceSpec> devices, const HierarchySpec& hierarchy);

// Brings one function of a tree that WriteSysfs wrote, from the same `devices`, up to date: whether it is there, and
// its character device ("" for none: then it shows no driver, either, as when the real one is being unbound). A
// reader may see any step of it: as with the real one, the function's links appear last and go first.
absl::Status UpdateSysfs(const std::string& dir, absl::Span<const DeviceSpec> devices, const HierarchySpec& hierarchy,
                         const PciAddress& address, bool present, const std::string& cdev);

}  // namespace p2pd::sim

#endif  // P2PD_DAEMON_KERNEL_SIM_SYSFS_WRITER_H_
