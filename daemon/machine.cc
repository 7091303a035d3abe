#include "daemon/machine.h"

#include <errno.h>
#include <stdlib.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/time/clock.h"
#include "daemon/base/errors.h"
#include "daemon/kernel/linux_kernel.h"
#include "daemon/kernel/sim_kernel.h"
#include "daemon/kernel/sim_stepper.h"

namespace p2pd {
namespace {

class LinuxMachine final : public Machine {
 public:
  Kernel& kernel() override { return kernel_; }
  std::string kernel_name() const override { return "linux"; }
  std::string sysfs_root() const override { return "/sys"; }
  std::string cpuinfo() const override { return "/proc/cpuinfo"; }

 private:
  LinuxKernel kernel_;
};

// Removes the folder and what is in it.
class TemporaryFolder {
 public:
  static absl::StatusOr<TemporaryFolder> Create() {
    std::error_code error;
    std::string path = std::filesystem::temp_directory_path(error) / "p2pd-sysfs-XXXXXX";
    if (mkdtemp(path.data()) == nullptr) return ErrnoError("mkdtemp", path, errno);
    return TemporaryFolder(std::move(path));
  }
  TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::exchange(other.path_, "")) {}
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

class SimulatedMachine final : public Machine {
 public:
  SimulatedMachine(std::unique_ptr<SimKernel> kernel, TemporaryFolder sysfs)
      : kernel_(std::move(kernel)), sysfs_(std::move(sysfs)), stepper_(*kernel_) {}
  Kernel& kernel() override { return *kernel_; }
  std::string kernel_name() const override { return "simulation"; }
  std::string sysfs_root() const override { return sysfs_.path(); }
  std::string cpuinfo() const override { return sysfs_.path() + "/proc/cpuinfo"; }

 private:
  const std::unique_ptr<SimKernel> kernel_;
  const TemporaryFolder sysfs_;
  SimStepper stepper_;
};

}  // namespace

std::unique_ptr<Machine> MakeLinuxMachine() { return std::make_unique<LinuxMachine>(); }

absl::StatusOr<std::unique_ptr<Machine>> MakeSimulatedMachine(const std::string& file) {
  P2PD_ASSIGN_OR_RETURN(auto kernel, SimKernel::CreateFromFile(file, {.sleep = absl::SleepFor}));
  P2PD_ASSIGN_OR_RETURN(TemporaryFolder sysfs, TemporaryFolder::Create());
  P2PD_RETURN_IF_ERROR(kernel->WriteSysfs(sysfs.path()));
  return std::make_unique<SimulatedMachine>(std::move(kernel), std::move(sysfs));
}

}  // namespace p2pd
