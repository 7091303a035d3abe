// The kernel's recovery from an uncorrectable error (drivers/pci/pcie/err.c: pcie_do_recovery). It tells of the error
// first, function by function, each of which it locks; of a fatal one it resets the bus after that, and restores
// nothing; then it tells that it has ended (uevent ERROR_EVENT). Whoever looks at the device before that may find it as
// it was, and have it cleared a moment later. So an operation that began with an error waits for the end; but only for
// a while, since whoever keeps a function beside it locked, with the fd of one that is being unbound for example, could
// keep everybody else from their mappings. Whenever the end comes, the device is looked at once more.
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "daemon/core/core.h"

namespace p2pd {

void Broker::Recovered(std::optional<PciAddress> device) {
  core_->scheduler.Run([core = core_, device] {
    CoreLock lock(core->mutex);
    if (core->stopping) return;
    for (auto& [address, entry] : core->tables.devices) {
      if (!device.has_value() || *device == address) core->NoteRecovered(lock, entry);
    }
  });
}

void Core::NoteRecovered(CoreLock& lock, DeviceEntry& device) {
  if (device.vfio == nullptr) return;
  OperationEntry* const operation = device.operation.has_value() ? &tables.operations.at(*device.operation) : nullptr;
  if (operation != nullptr && operation->awaits_recovery) return EndAwaiting(lock, *operation, absl::OkStatus());
  device.recovered = true;
  device.look_pending = true;
  if (operation == nullptr) BeginPending(lock, device);
}

bool Core::AwaitRecovery(OperationEntry& operation) {
  if (std::exchange(tables.devices.at(*operation.view.device).recovered, false)) return false;
  operation.awaits_recovery = true;
  operation.phase_began = scheduler.Now();
  scheduler.RunAfter(options.recovery_patience, [self = shared_from_this(), id = operation.view.id] {
    CoreLock lock(self->mutex);
    const auto late = self->tables.operations.find(id);
    if (late == self->tables.operations.end() || !late->second.awaits_recovery) return;
    self->EndAwaiting(lock, late->second,
                      absl::DeadlineExceededError(absl::StrCat(
                          "the kernel has not said within ", absl::FormatDuration(self->options.recovery_patience),
                          " that it is over (a function of the bus may be locked, by an unbind or "
                          "a reset): looked at now, and again when it is")));
  });
  return true;
}

void Core::EndAwaiting(CoreLock& lock, OperationEntry& operation, const absl::Status& status) {
  operation.awaits_recovery = false;
  AddStep(operation, "await the kernel's recovery", operation.phase_began, status);
  BeginContexts(lock, operation);
}

void Core::LookLater(CoreLock& lock, DeviceEntry& device) {
  PostElsewhere(lock, tables.ContextOf(device).strand,
                [self = shared_from_this(), address = device.view.address] { self->LookForTrouble(address); });
}

void Core::LookForTrouble(const PciAddress& address) {
  std::shared_ptr<VfioDevice> vfio;
  {
    CoreLock lock(mutex);
    vfio = tables.devices.at(address).vfio;
  }
  if (vfio == nullptr) return;
  const bool intact = vfio->config().MemoryDecodeOn().value_or(false);
  vfio.reset();
  if (intact) return;
  CoreLock lock(mutex);
  DeviceEntry& device = tables.devices.at(address);
  if (device.vfio != nullptr) BeginRepair(lock, device, Trouble::kCleared);
}

}  // namespace p2pd
