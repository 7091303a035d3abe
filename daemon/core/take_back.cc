// Taking back what a predecessor left, device by device: what cannot be taken back as it is, is bound anew.
#include <vector>

#include "daemon/base/errors.h"
#include "daemon/core/recovery.h"
#include "daemon/core/rows.h"

namespace p2pd {

absl::Status Recovery::TakeBack() {
  const absl::Status adopted = AdoptDevices();
  if (!adopted.ok()) TakeDown(std::string(adopted.message()));
  std::vector<PciAddress> unbound;
  {
    CoreLock lock(core_.mutex);
    for (const auto& [name, context] : core_.tables.contexts) {
      P2PD_RETURN_IF_ERROR(core_.journal.Grant(RowOf(name, context)));
    }
    for (const auto& [address, device] : core_.tables.devices) {
      P2PD_RETURN_IF_ERROR(core_.journal.Grant(RowOf(device)));
      if (device.vfio == nullptr) unbound.push_back(address);
    }
  }
  for (const PciAddress& address : unbound) {
    const absl::Status bound = core_.BindAfresh(address);
    CoreLock lock(core_.mutex);
    DeviceEntry& device = core_.tables.devices.at(address);
    const bool was_held = device.view.state == DeviceState::kTainted;
    if (bound.ok()) {
      if (was_held) core_.Advance(device, DeviceEvent::kRestoredWithout);
    } else if (was_held) {
      device.view.state_reason = std::string(bound.message());
      core_.scheduler.Run([self = core_.shared_from_this(), address = address] { self->RetryBind(address, 1); });
    } else {
      core_.Advance(device, DeviceEvent::kFailed, std::string(bound.message()));
    }
  }
  if (adopted.ok()) AdoptGrants();
  CoreLock lock(core_.mutex);
  for (const auto& [address, device] : core_.tables.devices) {
    core_.tables.Publish(EventType::kCreated, device.view, std::nullopt);
  }
  return absl::OkStatus();
}

}  // namespace p2pd
