// The machine that p2pd serves: the one it runs on, or a simulated one with a sysfs of its own in a temporary
// folder.
#ifndef P2PD_DAEMON_MACHINE_H_
#define P2PD_DAEMON_MACHINE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "daemon/kernel/kernel.h"

namespace p2pd {

class Machine {
 public:
  virtual ~Machine() = default;
  virtual Kernel& kernel() = 0;
  virtual std::string kernel_name() const = 0;  // "linux" or "simulation"
  virtual std::string sysfs_root() const = 0;
  virtual std::string cpuinfo() const = 0;  // what /proc/cpuinfo is to it
};

std::unique_ptr<Machine> MakeLinuxMachine();

// Errors: those of SimKernel::CreateFromFile, and of the temporary folder.
absl::StatusOr<std::unique_ptr<Machine>> MakeSimulatedMachine(const std::string& file);

}  // namespace p2pd

#endif  // P2PD_DAEMON_MACHINE_H_
