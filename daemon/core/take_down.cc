// What a predecessor left and cannot be trusted: nothing of it stays. Whatever was kept is cut off from its DMA first,
// and let go of then.
#include "absl/strings/match.h"
#include "daemon/core/recovery.h"

namespace p2pd {

void Recovery::CutOff(FdRef device) {
  // Each by itself: whatever of it works takes something away.
  const ConfigSpace config(core_.kernel, device);
  config.SetBusMaster(false).IgnoreError();
  core_.kernel.DetachDevice(device).IgnoreError();
  core_.kernel.DisableInterrupts(device).IgnoreError();
  core_.kernel.ResetDevice(device).IgnoreError();
}

void Recovery::TakeDown(const std::string& reason) {
  {
    CoreLock lock(core_.mutex);
    core_.distrusted = reason;
    for (auto& [address, device] : core_.tables.devices) {
      device.vfio.reset();
      device.signals.clear();
      device.fd_name.clear();
      device.view.driver.reset();
      device.view.state = DeviceState::kReady;
      device.resume.reset();
    }
    for (auto& [name, context] : core_.tables.contexts) {
      context.iommu.reset();
      context.fd_name.clear();
    }
  }
  for (auto& [name, fd] : fds_) {
    if (absl::StartsWith(name, "dev-")) CutOff(fd);
  }
  for (auto& [name, fd] : fds_) {
    core_.options.store->Remove(name).IgnoreError();
    if (absl::StartsWith(name, "dev-")) fd.Reset();
  }
  fds_.clear();
  CoreLock lock(core_.mutex);
  core_.tables.UseIdsAfter(state_.last_id);
  const auto forget = [&](const auto& table) {
    core_.mutex.AssertHeld();
    for (const auto& [key, row] : table) core_.journal.Forget(key);
  };
  forget(state_.operations);
  forget(state_.mappings);
  forget(state_.offers);
  forget(state_.exports);
  forget(state_.spaces);
  forget(state_.sessions);
  for (const auto& [name, row] : state_.contexts) core_.journal.Forget(JournalContextKey{.name = name});
  for (const auto& [address, row] : state_.devices) {
    DeviceEntry* device = core_.tables.FindDevice(address);
    if (device == nullptr) {
      core_.journal.Forget(address);
    } else {
      device->view.generation = row.generation + 1;
    }
  }
}

}  // namespace p2pd
