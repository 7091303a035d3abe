// The contract suite's machine on a real kernel: the test VM of tests/vm with its reset sets, whose devices are
// bound to vfio-pci. Runs nowhere else: without its devices the process ends, so that nothing passes unseen.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "daemon/kernel/linux_kernel.h"
#include "tests/contract/linux_exceptions.h"
#include "tests/contract/world.h"

namespace p2pd::contract {
namespace {

constexpr char kDevices[] = "/sys/bus/pci/devices/";

[[noreturn]] void Die(const std::string& why) {
  fprintf(stderr, "linux_world: %s\nRun this in the test VM: tests/vm/vm.py --add sets --add virtual -- BINARY\n",
          why.c_str());
  exit(EXIT_FAILURE);
}

class LinuxWorld final : public World {
 public:
  std::string name() const override { return "linux"; }

  Kernel& kernel() override { return kernel_; }

  std::string CdevOf(Role role) override {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(FolderOf(role) + "/vfio-dev", error)) {
      return entry.path().filename();
    }
    Die(AddressOf(role).ToString() + " is not there, or not bound to vfio-pci");
  }

  void SetResettable(Role role, bool resettable) override {
    std::ofstream reset_method(FolderOf(role) + "/reset_method");
    reset_method << (resettable ? "default" : "\n") << std::flush;
    if (!reset_method) Die("cannot write reset_method of " + AddressOf(role).ToString());
  }

  void VanishWithNextReset(Role) override {}  // it does

  void InjectError(Role role, bool fatal) override {
    constexpr uint32_t kMalformedTlp = 1 << 18;
    constexpr uint32_t kCompletionTimeout = 1 << 14;
    const PciAddress address = AddressOf(role);
    // drivers/pci/pcie/aer_inject.c: aer_error_inj
    const struct {
      uint8_t bus, device, function;
      uint32_t uncorrectable, correctable, header[4], domain;
    } error = {address.bus, address.device, address.function, fatal ? kMalformedTlp : kCompletionTimeout, 0, {}, 0};
    const UniqueFd injector(open("/dev/aer_inject", O_WRONLY | O_CLOEXEC));
    if (write(injector.get(), &error, sizeof(error)) != ssize_t{sizeof(error)}) {
      Die("/dev/aer_inject refuses " + address.ToString() + ": " + strerror(errno));
    }
  }

  void Unbind(Role role) override {
    // The write lasts until the device is closed; sysfs shows no driver as soon as it begins.
    if (unbinding_.joinable()) unbinding_.join();
    left_ = false;
    unbinding_ = std::thread([this, address = AddressOf(role).ToString()] {
      std::ofstream("/sys/bus/pci/drivers/vfio-pci/unbind") << address << std::flush;
      left_ = true;
    });
  }

  bool HasLeft(Role) override { return left_; }

  void Return(Role role) override {
    unbinding_.join();
    std::ofstream("/sys/bus/pci/drivers_probe") << AddressOf(role).ToString() << std::flush;
    CdevOf(role);
  }

  std::vector<Exception> exceptions() const override { return LinuxExceptions(); }

  void Settle() override { std::this_thread::sleep_for(std::chrono::milliseconds(2)); }

 private:
  std::string FolderOf(Role role) { return kDevices + AddressOf(role).ToString(); }

  LinuxKernel kernel_;
  std::thread unbinding_;
  std::atomic<bool> left_ = false;
};

}  // namespace

std::unique_ptr<World> MakeWorld() { return std::make_unique<LinuxWorld>(); }

}  // namespace p2pd::contract
