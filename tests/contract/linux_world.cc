// The contract suite's machine on a real kernel: the test VM of tests/vm, whose four devices are bound to
// vfio-pci. Runs nowhere else: without its devices the process ends, so that nothing passes unseen.
#include <chrono>
#include <cstdio>
#include <cstdlib>
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
  fprintf(stderr, "linux_world: %s\nRun this in the test VM: tests/vm/vm.py -- BINARY\n", why.c_str());
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

  PciAddress AddressOf(Role role) override {
    switch (role) {
      case Role::kExporter:
        return {.bus = 1};
      case Role::kSecondNvme:
        return {.bus = 2};
      case Role::kDmaEngine:
        return {.device = 0x10};
      case Role::kPlainMemory:
        return {.device = 0x11};
    }
    Die("unknown role");
  }

  void SetResettable(Role role, bool resettable) override {
    std::ofstream reset_method(FolderOf(role) + "/reset_method");
    reset_method << (resettable ? "default" : "\n") << std::flush;
    if (!reset_method) Die("cannot write reset_method of " + AddressOf(role).ToString());
  }

  std::vector<Exception> exceptions() const override { return LinuxExceptions(); }

  void Settle() override { std::this_thread::sleep_for(std::chrono::milliseconds(2)); }

 private:
  std::string FolderOf(Role role) { return kDevices + AddressOf(role).ToString(); }

  LinuxKernel kernel_;
};

}  // namespace

std::unique_ptr<World> MakeWorld() { return std::make_unique<LinuxWorld>(); }

}  // namespace p2pd::contract
