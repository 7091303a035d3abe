// Writes what sysfs would show of a simulated machine, in the layout of the real one: functions under
// devices/, below the ports that lead to them, and links to them under bus/pci/devices and in their IOMMU
// groups. A snapshot, until it is told what changed.
#ifndef P2PD_DAEMON_KERNEL_SIM_SYSFS_WRITER_H_
#define P2PD_DAEMON_KERNEL_SIM_SYSFS_WRITER_H_

#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "daemon/kernel/sim/device_spec.h"

namespace p2pd::sim {

// `dir` exists and has no such tree yet. The machine gets an Intel host bridge that is known to pass
// peer-to-peer traffic, and a root port with ACS for every other bus.
absl::Status WriteSysfs(const std::string& dir, absl::Span<const DeviceSpec> devices);

// Brings one function of a tree that WriteSysfs wrote, from the same `devices`, up to date: whether it is there, and
// its character device ("" for none: then it shows no driver, either, as when the real one is being unbound). A
// reader may see any step of it: as with the real one, the function's links appear last and go first.
absl::Status UpdateSysfs(const std::string& dir, absl::Span<const DeviceSpec> devices, const PciAddress& address,
                         bool present, const std::string& cdev);

}  // namespace p2pd::sim

#endif  // P2PD_DAEMON_KERNEL_SIM_SYSFS_WRITER_H_
