// SimKernel beyond the Kernel interface: the sysfs that goes with it, and what tests do to the machine and ask of it.
#include "daemon/base/errors.h"
#include "daemon/kernel/sim/sysfs_writer.h"
#include "daemon/kernel/sim_kernel.h"

namespace p2pd {

using sim::FailPoint;
using sim::Verb;

absl::Status SimKernel::ShowIn(const std::string& dir, const sim::Device& device) const {
  const bool present = device.presence() != sim::Presence::kUnplugged;
  return sim::UpdateSysfs(dir, specs_, hierarchy_, device.spec().address, present, device.cdev());
}

absl::Status SimKernel::WriteSysfs(const std::string& dir) {
  MutexLock lock(mutex_);
  P2PD_RETURN_IF_ERROR(sim::WriteSysfs(dir, specs_, hierarchy_));
  sysfs_.push_back(dir);
  for (const auto& device : machine_->devices()) {
    if (device->cdev() != device->spec().cdev) P2PD_RETURN_IF_ERROR(ShowIn(dir, *device));
  }
  return absl::OkStatus();
}

void SimKernel::CatchUp() {
  machine_->CatchUp();
  for (const sim::Device* const device : machine_->TakeMoved()) {
    // Whoever wrote the folder may have removed it by now.
    for (const std::string& dir : sysfs_) ShowIn(dir, *device).IgnoreError();
  }
}

void SimKernel::FailNth(Verb verb, int nth, int error, FailPoint point) {
  MutexLock lock(mutex_);
  faults_.FailNth(verb, nth, error, point);
}

int SimKernel::CallCount(Verb verb) {
  MutexLock lock(mutex_);
  return faults_.CallCount(verb);
}

std::string SimKernel::CdevOf(const PciAddress& address) {
  MutexLock lock(mutex_);
  const sim::Device* const device = machine_->Find(address);
  return device == nullptr ? "" : device->cdev();
}

void SimKernel::SetResettable(const PciAddress& address, bool resettable) {
  MutexLock lock(mutex_);
  sim::Device* const device = machine_->Find(address);
  if (device != nullptr) device->set_has_reset_method(resettable);
}

void SimKernel::VanishWithNextReset(const PciAddress& address) {
  MutexLock lock(mutex_);
  sim::Device* const device = machine_->Find(address);
  if (device != nullptr) device->VanishWithNextReset();
}

bool SimKernel::InjectError(const PciAddress& address, sim::ErrorSeverity severity) {
  MutexLock lock(mutex_);
  CatchUp();
  sim::Device* const device = machine_->Find(address);
  return device != nullptr && machine_->InjectError(*device, severity);
}

std::vector<PciAddress> SimKernel::EndRecovery(const PciAddress& address) {
  MutexLock lock(mutex_);
  CatchUp();
  std::vector<PciAddress> recovered;
  sim::Device* const device = machine_->Find(address);
  if (device == nullptr) return recovered;
  for (const sim::Device* const member : machine_->EndRecovery(*device)) recovered.push_back(member->spec().address);
  return recovered;
}

void SimKernel::Remove(const PciAddress& address, sim::Presence afterwards) {
  MutexLock lock(mutex_);
  CatchUp();
  sim::Device* const device = machine_->Find(address);
  if (device != nullptr) machine_->RequestRemoval(*device, afterwards);
  CatchUp();
}

void SimKernel::Unbind(const PciAddress& address) { Remove(address, sim::Presence::kUnbound); }
void SimKernel::Unplug(const PciAddress& address) { Remove(address, sim::Presence::kUnplugged); }

bool SimKernel::HasLeft(const PciAddress& address) {
  MutexLock lock(mutex_);
  CatchUp();
  const sim::Device* const device = machine_->Find(address);
  return device == nullptr || device->presence() == sim::Presence::kUnbound ||
         device->presence() == sim::Presence::kUnplugged;
}

bool SimKernel::Return(const PciAddress& address) {
  MutexLock lock(mutex_);
  CatchUp();
  sim::Device* const device = machine_->Find(address);
  const bool arrived = device != nullptr && machine_->Arrive(*device);
  CatchUp();
  return arrived;
}

bool SimKernel::CanReach(const PciAddress& device, const PciAddress& exporter, int bar, uint64_t offset) {
  MutexLock lock(mutex_);
  CatchUp();
  const sim::Device* const from = machine_->Find(device);
  const sim::Device* const to = machine_->Find(exporter);
  return from != nullptr && to != nullptr && machine_->CanReach(*from, *to, bar, offset);
}

bool SimKernel::CanReachFile(const PciAddress& device, FdRef file, uint64_t offset) {
  MutexLock lock(mutex_);
  CatchUp();
  const sim::Device* const from = machine_->Find(device);
  return from != nullptr && machine_->CanReachFile(*from, file, offset);
}

bool SimKernel::DmaRead(const PciAddress& device, uint64_t iova, absl::Span<uint8_t> bytes) {
  MutexLock lock(mutex_);
  CatchUp();
  sim::Device* const from = machine_->Find(device);
  return from != nullptr && machine_->DmaRead(*from, iova, bytes);
}

bool SimKernel::DmaWrite(const PciAddress& device, uint64_t iova, absl::Span<const uint8_t> bytes) {
  MutexLock lock(mutex_);
  CatchUp();
  sim::Device* const from = machine_->Find(device);
  return from != nullptr && machine_->DmaWrite(*from, iova, bytes);
}

std::vector<sim::DmaFault> SimKernel::faults() {
  MutexLock lock(mutex_);
  return machine_->faults();
}

}  // namespace p2pd
