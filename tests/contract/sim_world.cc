// The contract suite's machine, simulated.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "daemon/kernel/sim_kernel.h"
#include "google/protobuf/text_format.h"
#include "tests/contract/world.h"

namespace p2pd::contract {
namespace {

constexpr const char* kMachine[] = {"deploy/simulation/two_nvme.textproto", "tests/contract/reset_sets.textproto"};

[[noreturn]] void Die(const std::string& why) {
  fprintf(stderr, "sim_world: %s\n", why.c_str());
  exit(EXIT_FAILURE);
}

class SimWorld final : public World {
 public:
  explicit SimWorld(std::unique_ptr<SimKernel> kernel) : kernel_(std::move(kernel)) {}

  std::string name() const override { return "sim"; }
  Kernel& kernel() override { return *kernel_; }
  std::string CdevOf(Role role) override { return kernel_->CdevOf(AddressOf(role)); }
  void SetResettable(Role role, bool resettable) override { kernel_->SetResettable(AddressOf(role), resettable); }
  void VanishWithNextReset(Role role) override { kernel_->VanishWithNextReset(AddressOf(role)); }
  void Settle() override { kernel_->Step(); }
  void InjectError(Role role, bool fatal) override {
    const auto severity = fatal ? sim::ErrorSeverity::kFatal : sim::ErrorSeverity::kNonFatal;
    if (!kernel_->InjectError(AddressOf(role), severity)) Die("no error for " + AddressOf(role).ToString());
    kernel_->EndRecovery(AddressOf(role));
  }
  void Unbind(Role role) override { kernel_->Unbind(AddressOf(role)); }
  bool HasLeft(Role role) override { return kernel_->HasLeft(AddressOf(role)); }
  void Return(Role role) override {
    if (!kernel_->Return(AddressOf(role))) Die(AddressOf(role).ToString() + " had not left");
  }

 private:
  const std::unique_ptr<SimKernel> kernel_;
};

}  // namespace

std::unique_ptr<World> MakeWorld() {
  v1::Simulation machine;
  for (const char* const path : kMachine) {
    std::ifstream file(path);
    const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    if (text.empty() || !google::protobuf::TextFormat::MergeFromString(text, &machine)) Die(path);
  }
  absl::StatusOr<std::unique_ptr<SimKernel>> kernel = SimKernel::Create(machine);
  if (!kernel.ok()) Die(kernel.status().ToString());
  return std::make_unique<SimWorld>(*std::move(kernel));
}

}  // namespace p2pd::contract
