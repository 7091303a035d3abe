// A reset of a physical function takes its virtual functions along: it clears VF Enable, and what the kernel then
// restores is their place on the bus, not their state (iov.c: sriov_restore_state). VFIO knows nothing of it and
// revokes nothing of theirs. So they are of the reset's set: asked, unmapped and restored with it; one that somebody
// else may be using stands in its way. The end of a physical function's driver cannot be refused: what p2pd has of its
// virtual functions is then looked after as after an error.
//
// vfio-pci binds a virtual function of a physical one that it has only to whoever knows that one's token, and the
// physical one itself while a virtual one is bound. p2pd makes one for each physical function that it binds, and tells
// nobody. A driver of the physical function can set another, which shuts p2pd out of virtual functions that it binds
// from then on, until that driver ends.
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "daemon/base/errors.h"
#include "daemon/core/core.h"

namespace p2pd {

void Core::FindVirtualFunctions(SessionId session, const PciAddress& address,
                                const std::optional<JournalRequest>& request, Done<OperationView> finish) {
  const std::vector<SysfsDevice> functions = Sysfs(options.sysfs_root).VirtualFunctionsOf(address);
  CoreLock lock(mutex);
  SessionEntry* entry = tables.FindSession(session);
  const absl::Status status = entry == nullptr || entry->ended
                                  ? SessionEnded()
                                  : BeginPhysicalReset(lock, *entry, address, functions, request, finish);
  if (!status.ok()) lock.After([finish = std::move(finish), status]() mutable { finish(status); });
}

absl::Status Core::AddVirtualFunctions(const SessionEntry& session, const std::vector<SysfsDevice>& functions,
                                       std::vector<PciAddress>& devices, std::vector<std::string>& obstacles) {
  for (const SysfsDevice& function : functions) {
    const DeviceEntry* device = tables.FindDevice(function.address);
    if (device == nullptr || device->view.state == DeviceState::kGone) {
      // What no driver has, nobody uses.
      if (!function.driver.empty()) {
        obstacles.push_back(absl::StrCat(function.address.ToString(), " is bound to ", function.driver));
      }
      continue;
    }
    if (device->view.driver != session.view.id) {
      P2PD_RETURN_IF_ERROR(
          Permit(session, DeviceName(function.address), {.action = Action::kReset, .exporter = device}).status());
    }
    if (!CheckUsable(*device, "").ok()) {
      obstacles.push_back(absl::StrCat(function.address.ToString(), " is ", Name(device->view.state)));
    }
    devices.push_back(function.address);
  }
  return absl::OkStatus();
}

absl::Status Core::BeginPhysicalReset(CoreLock& lock, SessionEntry& session, const PciAddress& address,
                                      const std::vector<SysfsDevice>& functions,
                                      const std::optional<JournalRequest>& request, Done<OperationView>& finish) {
  const DeviceEntry& physical = tables.devices.at(address);
  P2PD_RETURN_IF_ERROR(CheckUsable(physical, "ResetDevice"));
  std::vector<PciAddress> devices = {address};
  std::vector<std::string> obstacles;
  P2PD_RETURN_IF_ERROR(AddVirtualFunctions(session, functions, devices, obstacles));
  if (!obstacles.empty()) {
    return DeviceError(physical, absl::StatusCode::kFailedPrecondition, Reason::kDeviceUnusable, "ResetDevice",
                       absl::StrCat("its virtual functions would lose their state: ", absl::StrJoin(obstacles, ", ")),
                       "unbind those, or disable them (sriov_numvfs)");
  }
  RevokeOrder order = ResetOrder(session, std::move(devices));
  order.request = request;
  order.done = std::move(finish);
  Revoke(lock, std::move(order));
  return absl::OkStatus();
}

absl::StatusOr<std::optional<VfToken>> Core::VfTokenFor(const PciAddress& address) {
  CoreLock lock(mutex);
  DeviceEntry& device = tables.devices.at(address);
  if (device.sysfs.is_virtual_function()) {
    const DeviceEntry* physical = tables.FindDevice(*device.sysfs.physical_function);
    return physical == nullptr ? std::nullopt : physical->vf_token;
  }
  if (device.sysfs.has_sriov && !device.vf_token.has_value()) {
    VfToken token;
    if (getrandom(token.data(), token.size(), 0) != ssize_t{sizeof(token)}) {
      return ErrnoError("getrandom", absl::StrCat("VF token of ", DeviceName(address)), errno);
    }
    device.vf_token = token;
  }
  return device.vf_token;
}

void Core::RepairVirtualFunctions(const PciAddress& physical) {
  for (const SysfsDevice& function : Sysfs(options.sysfs_root).VirtualFunctionsOf(physical)) {
    CoreLock lock(mutex);
    DeviceEntry* device = tables.FindDevice(function.address);
    if (device == nullptr || device->vfio == nullptr) continue;
    device->trouble = Trouble::kPhysicalReset;
    if (!device->operation.has_value()) BeginPending(lock, *device);
  }
}

}  // namespace p2pd
