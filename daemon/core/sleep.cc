// What happens before the system sleeps, and after. vfio-pci has no part in that: the kernel takes the power of its
// devices as of any other's, revokes nothing and tells nobody; later it brings their configuration back, and nothing
// else of their state. So everybody is asked to stop and every window is unmapped before, in one operation, which is
// then parked; afterwards it goes on as after an error: a device whose configuration is not back is bound anew, the
// mappings come back at their IOVAs, and drivers set their devices up again. Clients' memory stays mapped: it is
// where it was, and so are the IOMMU's tables.
#include <algorithm>
#include <set>
#include <utility>

#include "daemon/base/errors.h"
#include "daemon/core/core.h"

namespace p2pd {
namespace {

// Whoever delays the system's sleep may do so for five seconds, unless the administrator says otherwise
// (logind.conf: InhibitDelayMaxSec).
constexpr absl::Duration kPatience = absl::Seconds(2);

}  // namespace

void Broker::Sleep(Task asleep) {
  {
    CoreLock lock(core_->mutex);
    if (core_->stopping) return lock.After(std::move(asleep));
    core_->sleeping = true;
    core_->when_asleep = std::move(asleep);
  }
  core_->scheduler.Run([core = core_] {
    CoreLock lock(core->mutex);
    if (core->sleeping) core->GoToSleep(lock);
  });
}

void Broker::Wake() {
  {
    CoreLock lock(core_->mutex);
    core_->sleeping = false;
    core_->when_asleep = nullptr;
  }
  core_->scheduler.Run([core = core_] {
    CoreLock lock(core->mutex);
    if (!core->sleeping) core->WakeUp(lock);
  });
}

absl::Status Core::CheckAwake(absl::string_view step, const std::string& object) const {
  if (!sleeping) return absl::OkStatus();
  return MakeError(absl::StatusCode::kUnavailable,
                   {.reason = Reason::kDeviceNotReady,
                    .step = std::string(step),
                    .object = object,
                    .hint = "try again when it is awake"},
                   "the system is about to sleep");
}

void Core::GoToSleep(CoreLock& lock) {
  RevokeOrder order = {.kind = OperationKind::kSleep,
                       .reason = "the system sleeps",
                       .restore = true,
                       .deadline = std::min(kPatience, options.quiesce_deadline)};
  std::set<PciAddress> used;
  for (const auto& [id, entry] : tables.exports) used.insert(entry.view.window.device);
  for (const auto& [address, device] : tables.devices) {
    const bool in_use = device.view.driver.has_value() || used.contains(address);
    if (in_use && device.vfio != nullptr && !device.operation.has_value()) order.devices.push_back(address);
  }
  for (const auto& [id, entry] : tables.exports) {
    const bool sleeps = std::binary_search(order.devices.begin(), order.devices.end(), entry.view.window.device);
    if (sleeps) order.mappings.insert(order.mappings.end(), entry.mappings.begin(), entry.mappings.end());
  }
  if (!order.devices.empty()) Revoke(lock, std::move(order));
  CheckAsleep(lock);
}

void Core::Park(CoreLock& lock, OperationEntry& operation) {
  operation.parked = true;
  operation.phase_began = scheduler.Now();
  CheckAsleep(lock);
}

void Core::CheckAsleep(CoreLock& lock) {
  if (when_asleep == nullptr) return;
  for (const auto& [address, device] : tables.devices) {
    if (device.operation.has_value() && !tables.operations.at(*device.operation).parked) return;
  }
  lock.After(std::exchange(when_asleep, nullptr));
}

void Core::WakeUp(CoreLock& lock) {
  std::vector<OperationId> parked;
  for (auto& [id, operation] : tables.operations) {
    if (std::exchange(operation.parked, false)) parked.push_back(id);
  }
  for (const OperationId id : parked) {
    OperationEntry& operation = tables.operations.at(id);
    AddStep(operation, "sleep", operation.phase_began, absl::OkStatus());
    BeginContexts(lock, operation);
  }
}

}  // namespace p2pd
