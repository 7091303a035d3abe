// The machine that the contract suite runs on. The same cases are linked with sim_world.cc (SimKernel) and
// with linux_world.cc (LinuxKernel, in the test VM); a case may assume nothing that this interface does not
// promise, so that whatever differs is a difference between the kernels.
//
// Both worlds are the machine of deploy/simulation/two_nvme.textproto: every device in an IOMMU group of its
// own, bound to vfio-pci, opened by nobody when a case begins.
#ifndef P2PD_TESTS_CONTRACT_WORLD_H_
#define P2PD_TESTS_CONTRACT_WORLD_H_

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

  virtual PciAddress AddressOf(Role role) = 0;

  // Takes the function's reset methods away, or gives them back: a ResetDevice of a device bound before then
  // fails with ENOTTY, after it has revoked. (Linux: "\n" or "default" into sysfs' reset_method.)
  virtual void SetResettable(Role role, bool resettable) = 0;

  // Cases that this world cannot run, and why: reported as such, never as passed. An exception for a case
  // that does not exist fails the suite.
  virtual std::vector<Exception> exceptions() const { return {}; }

  // Lets devices act. A case that waits for a device polls: look, Settle(), look again, up to a deadline of
  // its own. SimWorld steps its device models; LinuxWorld waits a few milliseconds.
  virtual void Settle() = 0;
};

// Defined by the file that is linked in. Takes no arguments and reads no environment; sysfs at /sys says
// which vfioN a device is. Called once a process.
std::unique_ptr<World> MakeWorld();

}  // namespace p2pd::contract

#endif  // P2PD_TESTS_CONTRACT_WORLD_H_
