// What happens to several devices of the machine at once, or from outside: hot resets of a bus, errors that a port
// reports for everything below it, and devices that are unbound, unplugged and come back.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/kernel/sim/machine.h"

namespace p2pd::sim {
namespace {

constexpr char kHotResetCall[] = "VFIO_DEVICE_PCI_HOT_RESET";

// There is a port above every bus but the root's.
bool HasPort(const Device& device) { return device.spec().express(); }

// Whether vfio-pci has it, if only until its last close.
bool IsVfios(const Device* device) {
  return device->presence() == Presence::kBound || device->presence() == Presence::kLeaving;
}

// VFIO keeps a virtual function apart from its bus, and so refuses to reset a bus that has one.
bool IsVirtual(const Device* device) { return device->spec().physical_function.has_value(); }

bool IsEventFd(FdRef fd) {
  char target[64] = {};
  const std::string path = absl::StrCat("/proc/self/fd/", fd.get());
  const ssize_t length = readlink(path.c_str(), target, sizeof(target) - 1);
  return length > 0 && absl::string_view(target, length) == "anon_inode:[eventfd]";
}

}  // namespace

std::vector<Device*> Machine::BusOf(const Device& device) const {
  std::vector<Device*> bus;
  for (const auto& other : devices_) {
    const PciAddress& address = other->spec().address;
    const bool same = address.domain == device.spec().address.domain && address.bus == device.spec().address.bus;
    if (same && other->presence() != Presence::kUnplugged) bus.push_back(other.get());
  }
  return bus;
}

bool Machine::Owned(const Device& device, const Context* context) const {
  return std::any_of(devices_.begin(), devices_.end(), [&](const auto& other) {
    return other->context == context && other->spec().iommu_group == device.spec().iommu_group;
  });
}

absl::StatusOr<HotResetInfo> Machine::GetHotResetInfo(FdRef fd) {
  constexpr char kCall[] = "VFIO_DEVICE_GET_PCI_HOT_RESET_INFO";
  P2PD_ASSIGN_OR_RETURN(const Device* const device, BoundDeviceOf(fd, kCall));
  if (!HasPort(*device)) return ErrnoError(kCall, device->name(), ENODEV);
  HotResetInfo info = {.members = {}, .all_owned = true};
  for (const Device* const member : BusOf(*device)) {
    const bool owned = IsVfios(member) && !IsVirtual(member) && Owned(*member, device->context);
    info.members.push_back({.address = member->spec().address, .owned = owned});
    info.all_owned &= owned;
  }
  std::sort(info.members.begin(), info.members.end());
  return info;
}

absl::StatusOr<std::vector<Device*>> Machine::BeginHotReset(FdRef fd) {
  P2PD_ASSIGN_OR_RETURN(const Device* const device, BoundDeviceOf(fd, kHotResetCall));
  const auto fail = [&](int error) { return ErrnoError(kHotResetCall, device->name(), error); };
  if (!HasPort(*device)) return fail(ENODEV);
  std::vector<Device*> set = BusOf(*device);
  if (!std::all_of(set.begin(), set.end(), IsVfios)) return fail(EINVAL);
  if (std::any_of(set.begin(), set.end(), IsVirtual)) return fail(EINVAL);
  std::vector<Device*> revoked;
  int error = 0;
  for (Device* const member : set) {
    if (!Owned(*member, device->context)) error = EINVAL;
    if (error == 0 && member->resetting) error = EBUSY;
    if (error != 0) break;
    Revoke(*member);
    revoked.push_back(member);
  }
  if (error != 0) {
    for (Device* const member : revoked) Restore(*member);
    return fail(error);
  }
  for (Device* const member : set) member->resetting = member->set_resetting = true;
  return set;
}

absl::Status Machine::FinishHotReset(absl::Span<Device* const> set, int error) {
  const auto here = [](const Device* member) { return member->presence() == Presence::kBound; };
  if (error == 0 && !std::all_of(set.begin(), set.end(), here)) error = EAGAIN;
  for (Device* const member : set) {
    if (error == 0) member->ResetFunction();
    member->resetting = member->set_resetting = false;
    if (member->bound()) Restore(*member);
  }
  return error == 0 ? absl::OkStatus() : ErrnoError(kHotResetCall, set.front()->name(), error);
}

bool Machine::SetResetting(FdRef fd) {
  const std::optional<FileId> id = Identify(fd);
  if (!id.has_value()) return false;
  const auto it = devices_by_file_.find(*id);
  if (it == devices_by_file_.end()) return false;
  const std::vector<Device*> set = BusOf(*it->second);
  return std::any_of(set.begin(), set.end(), [](const Device* member) { return member->set_resetting; });
}

void Machine::ResetSetAfterClose(Device& closed) {
  if (!HasPort(closed)) return;
  const std::vector<Device*> set = BusOf(closed);
  bool needed = false;
  for (const Device* const member : set) {
    if (member->presence() != Presence::kBound || member->bound() || IsVirtual(member)) return;
    needed |= member->needs_reset();
  }
  if (!needed) return;
  for (Device* const member : set) {
    member->ResetFunction();
    member->set_needs_reset(false);
  }
}

absl::Status Machine::SetEventFd(FdRef fd, DeviceSignal signal, std::optional<FdRef> eventfd) {
  constexpr char kCall[] = "VFIO_DEVICE_SET_IRQS";
  P2PD_ASSIGN_OR_RETURN(Device* const device, BoundDeviceOf(fd, kCall));
  UniqueFd held;
  if (eventfd.has_value()) {
    if (!Identify(*eventfd).has_value()) return ErrnoError(kCall, device->name(), EBADF);
    if (!IsEventFd(*eventfd)) return ErrnoError(kCall, device->name(), EINVAL);
    P2PD_ASSIGN_OR_RETURN(held, Duplicate(*eventfd));
  }
  device->set_eventfd(signal, std::move(held));
  return absl::OkStatus();
}

bool Machine::InjectError(Device& device, ErrorSeverity severity) {
  if (!HasPort(device) || !IsVfios(&device)) return false;
  for (Device* const member : BusOf(device)) {
    member->frozen |= severity == ErrorSeverity::kFatal;
    member->Signal(DeviceSignal::kError);
  }
  return true;
}

std::vector<Device*> Machine::EndRecovery(Device& device) {
  std::vector<Device*> bus = BusOf(device);
  for (Device* const member : bus) {
    if (!std::exchange(member->frozen, false)) continue;
    member->ResetFunction();
    member->config().LoseState();
    member->PublishConfig();
  }
  return bus;
}

void Machine::RequestRemoval(Device& device, Presence afterwards) {
  if (device.presence() == Presence::kBound) {
    device.Leave(afterwards);
    moved_.push_back(&device);
  }
  device.Signal(DeviceSignal::kRequest);
  CatchUp();
}

void Machine::CatchUpWithDepartures() {
  for (const auto& device : devices_) {
    if (device->presence() != Presence::kLeaving || device->bound() || device->HasOpens()) continue;
    device->Depart();
    moved_.push_back(device.get());
  }
}

bool Machine::Arrive(Device& device) {
  CatchUp();
  if (IsVfios(&device)) return false;
  // The lowest number that is free, as the system gives out minor numbers.
  std::set<std::string> taken;
  for (const auto& other : devices_) taken.insert(other->cdev());
  int number = 0;
  while (taken.contains(absl::StrCat("vfio", number))) ++number;
  device.Arrive(absl::StrCat("vfio", number));
  const auto it = std::find_if(devices_.begin(), devices_.end(), [&](const auto& d) { return d.get() == &device; });
  std::rotate(it, std::next(it), devices_.end());
  moved_.push_back(&device);
  return true;
}

std::vector<Device*> Machine::TakeMoved() { return std::exchange(moved_, {}); }

}  // namespace p2pd::sim
