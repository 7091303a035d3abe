// The contract suite's machine, simulated.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "daemon/kernel/sim_kernel.h"
#include "tests/contract/world.h"

namespace p2pd::contract {
namespace {

constexpr char kMachine[] = "deploy/simulation/two_nvme.textproto";

class SimWorld final : public World {
 public:
  explicit SimWorld(std::unique_ptr<SimKernel> kernel) : kernel_(std::move(kernel)) {}

  std::string name() const override { return "sim"; }
  Kernel& kernel() override { return *kernel_; }
  std::string CdevOf(Role role) override { return kernel_->CdevOf(AddressOf(role)); }
  void SetResettable(Role role, bool resettable) override { kernel_->SetResettable(AddressOf(role), resettable); }
  void Settle() override { kernel_->Step(); }

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
    abort();
  }

 private:
  const std::unique_ptr<SimKernel> kernel_;
};

}  // namespace

std::unique_ptr<World> MakeWorld() {
  absl::StatusOr<std::unique_ptr<SimKernel>> kernel = SimKernel::CreateFromFile(kMachine, {});
  if (!kernel.ok()) {
    fprintf(stderr, "sim_world: %s\n", kernel.status().ToString().c_str());
    exit(EXIT_FAILURE);
  }
  return std::make_unique<SimWorld>(*std::move(kernel));
}

}  // namespace p2pd::contract
