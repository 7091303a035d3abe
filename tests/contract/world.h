// The machine that the contract suite runs on. The same cases are linked with sim_world.cc (SimKernel) and
// with linux_world.cc (LinuxKernel, in the test VM); a case may assume nothing that this interface does not
// promise, so that whatever differs is a difference between the kernels.
//
// Both worlds are the machine of deploy/simulation/two_nvme.textproto and reset_sets.textproto: every device is
// bound to vfio-pci, in an IOMMU group of its own but for the twins, and opened by nobody when a case begins.
#ifndef P2PD_TESTS_CONTRACT_WORLD_H_
#define P2PD_TESTS_CONTRACT_WORLD_H_

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "daemon/base/pci_address.h"
#include "daemon/kernel/kernel.h"

namespace p2pd::contract {

// What a case needs a device for.
enum class Role {
  kExporter,     // 0000:01:00.0: NVMe, 16 KiB of registers in BAR 0, a 64 MiB memory buffer in BAR 2; can be reset
  kSecondNvme,   // 0000:02:00.0: NVMe without a memory buffer; can be reset
  kDmaEngine,    // 0000:00:10.0: QEMU's edu, 1 MiB of registers in BAR 0; cannot be reset
  kPlainMemory,  // 0000:00:11.0: ivshmem, 64 MiB of memory in BAR 2; cannot be reset
  kSetFirst,     // 0000:04:00.0: as kExporter, with 16 MiB
  kSetSecond,    // 0000:04:01.0: the same, on the same bus
  kTwinFirst,    // 0000:05:00.0: e1000e, 40 KiB of memory at 64 KiB of BAR 0
  kTwinSecond,   // 0000:05:00.1: the same, another function of the same device, in the same IOMMU group
  kPhysical,     // 0000:06:00.0: NVMe without a memory buffer, vfio-pci having made a virtual function of it
  kVirtual,      // 0000:06:00.1: that
};

struct Exception {
  std::string test;    // "MapTest.RefusesAnOverlap"
  std::string reason;  // one sentence
};

class World {
 public:
  virtual ~World() = default;

  // "sim" or "linux", for the report.
  virtual std::string name() const = 0;

  // One kernel for the whole life of the world.
  virtual Kernel& kernel() = 0;

  // The device's character device, as Kernel::OpenDevice takes it ("vfio0"). Fails the process when the
  // machine lacks the device: a suite without its machine must not pass.
  virtual std::string CdevOf(Role role) = 0;

  // Takes the function's reset methods away, or gives them back: a ResetDevice of a device bound before then
  // fails with ENOTTY, after it has revoked. (Linux: "\n" or "default" into sysfs' reset_method.)
  virtual void SetResettable(Role role, bool resettable) = 0;

  // Has the next reset of its physical function take this virtual one off the bus, for good. (QEMU 7.2 does so at
  // each.)
  virtual void VanishWithNextReset(Role role) = 0;

  // Has the device, one of the twins, report an uncorrectable error to the port above it.
  virtual void InjectError(Role role, bool fatal) = 0;

  // Begins to take the device away from vfio-pci, which ends once nobody has it open; whether it has; and gives it
  // back. A case gives back what it took.
  virtual void Unbind(Role role) = 0;
  virtual bool HasLeft(Role role) = 0;
  virtual void Return(Role role) = 0;

  // Cases that this world cannot run, and why: reported as such, never as passed. An exception for a case
  // that does not exist fails the suite.
  virtual std::vector<Exception> exceptions() const { return {}; }

  // Lets devices act. A case that waits for a device polls: look, Settle(), look again, up to a deadline of
  // its own. SimWorld steps its device models; LinuxWorld waits a few milliseconds.
  virtual void Settle() = 0;
};

inline PciAddress AddressOf(Role role) {
  switch (role) {
    case Role::kExporter:
      return {.bus = 1};
    case Role::kSecondNvme:
      return {.bus = 2};
    case Role::kDmaEngine:
      return {.device = 0x10};
    case Role::kPlainMemory:
      return {.device = 0x11};
    case Role::kSetFirst:
      return {.bus = 4};
    case Role::kSetSecond:
      return {.bus = 4, .device = 1};
    case Role::kTwinFirst:
      return {.bus = 5};
    case Role::kTwinSecond:
      return {.bus = 5, .function = 1};
    case Role::kPhysical:
      return {.bus = 6};
    case Role::kVirtual:
      return {.bus = 6, .function = 1};
  }
  abort();
}

// Defined by the file that is linked in. Takes no arguments and reads no environment; sysfs at /sys says
// which vfioN a device is. Called once a process.
std::unique_ptr<World> MakeWorld();

}  // namespace p2pd::contract

#endif  // P2PD_TESTS_CONTRACT_WORLD_H_
