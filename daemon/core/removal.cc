// Devices that the kernel takes back, for an unbind or an unplug, and that come back. Whoever unbinds or unplugs
// waits, uninterruptibly, until every descriptor of the device is closed (vfio_unregister_group_dev): so its users
// get a short time to stop, and p2pd closes what it holds. What comes back is probed afresh, with no old right.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/core/core.h"

namespace p2pd {
namespace {

constexpr absl::Duration kPatience = absl::Milliseconds(500);
constexpr absl::Duration kLookForHolders = absl::Seconds(1);

// What a reset of a device that is being unbound comes to: the kernel resets nothing then, at its last close neither,
// but has revoked every dma-buf of it by the time it says so.
constexpr char kNoResetNow[] = "revoke its dma-bufs (the kernel resets nothing while it unbinds)";

std::string GoneBecause(const std::vector<FileHolder>& holders) {
  if (holders.empty()) return "the kernel took it back (unbind or unplug)";
  return absl::StrCat("the kernel wants it back (unbind or unplug), and waits: ", Describe(holders),
                      " still holds its fd");
}

}  // namespace

// ---- Going -----------------------------------------------------------------------------------------------

void Core::BeginRemoval(CoreLock& lock, DeviceEntry& device) {
  RevokeOrder order = DriverEnd({device.view.address}, std::nullopt);
  order.kind = OperationKind::kUnplug;
  order.reason = absl::StrCat(DeviceName(device.view.address), " is unbound or unplugged");
  order.leave = true;
  order.deadline = std::min(kPatience, options.quiesce_deadline);
  TellHolders(lock, device, order.reason);
  Revoke(lock, std::move(order));
}

void Core::CloseForGood(OperationId id, const PciAddress& address) {
  std::shared_ptr<VfioDevice> vfio;
  {
    CoreLock lock(mutex);
    vfio = tables.devices.at(address).vfio;
  }
  if (vfio != nullptr) {
    RunStep(id, "bus master off", [&] { return vfio->config().SetBusMaster(false); }).IgnoreError();
    // Whoever removes it waits: its memory is cleared when it comes back.
    RunStep(id, "interrupts off", [&] { return vfio->DisableInterrupts(); }).IgnoreError();
    RunStep(id, "flush posted writes", [&] { return vfio->FlushPostedWrites(); }).IgnoreError();
    if (vfio->can_reset()) ResetLeaving(id, *vfio);
    vfio.reset();
  }
  PartWith(address, Close(id, address, /*scrubbed=*/false));
}

void Core::ResetLeaving(OperationId id, const VfioDevice& vfio) {
  const absl::Duration began = scheduler.Now();
  const absl::Status reset = vfio.Reset();
  CoreLock lock(mutex);
  OperationEntry& operation = tables.operations.at(id);
  if (IsTransient(reset)) return AddStep(operation, kNoResetNow, began, absl::OkStatus());
  AddStep(operation, "reset", began, reset);
}

bool Core::HasCdev(const PciAddress& address) const { return Sysfs(options.sysfs_root).FindCdev(address).ok(); }

void Core::PartWith(const PciAddress& address, const std::optional<FileIdentity>& file) {
  std::vector<FileHolder> holders;
  if (file.has_value()) holders = options.find_holders(*file);
  CoreLock lock(mutex);
  DeviceEntry& device = tables.devices.at(address);
  ForgetDriver(device);
  device.resume.reset();
  Note(device);
  device.held_file = file;
  device.view.holders = holders;
  Advance(device, DeviceEvent::kUnplugged, GoneBecause(holders));
  if (holders.empty()) return DropLingering(address);
  scheduler.RunAfter(kLookForHolders, [self = shared_from_this(), address] { self->WatchHoldersOfGone(address); });
}

void Core::WatchHoldersOfGone(const PciAddress& address) {
  std::optional<FileIdentity> file;
  {
    CoreLock lock(mutex);
    const DeviceEntry& device = tables.devices.at(address);
    if (stopping || device.view.state != DeviceState::kGone) return;
    file = device.held_file;
  }
  std::vector<FileHolder> holders = options.find_holders(*file);
  CoreLock lock(mutex);
  DeviceEntry& device = tables.devices.at(address);
  if (device.view.state != DeviceState::kGone) return;
  if (device.view.holders != holders) {
    device.view.holders = holders;
    device.view.state_reason = GoneBecause(holders);
    tables.Changed(device);
  }
  if (holders.empty()) return DropLingering(address);
  scheduler.RunAfter(kLookForHolders, [self = shared_from_this(), address] { self->WatchHoldersOfGone(address); });
}

// ---- Coming ----------------------------------------------------------------------------------------------

void Broker::Rescan() {
  {
    CoreLock lock(core_->mutex);
    if (core_->stopping || std::exchange(core_->looking, true)) {
      core_->look_again = true;
      return;
    }
  }
  core_->scheduler.Run([core = core_] { core->Look(); });
}

void Core::Look() {
  for (bool again = true; again;) {
    const auto found = Sysfs(options.sysfs_root).Scan();
    if (found.ok()) TakeIn(*found);
    auto seen = ReadTopology(options.sysfs_root, options.cpuinfo, options.config_source);
    CoreLock lock(mutex);
    if (seen.ok()) topology = std::make_shared<const Topology>(*std::move(seen));
    again = std::exchange(look_again, false);
    if (!again) looking = false;
  }
}

void Core::TakeIn(const std::vector<SysfsDevice>& found) {
  std::vector<SysfsDevice> managed;
  for (const SysfsDevice& device : found) {
    if (IsManaged(device, options)) managed.push_back(device);
  }
  std::vector<PciAddress> arrived;
  {
    CoreLock lock(mutex);
    bus_windows = BusWindows(found);
    for (auto& [address, device] : tables.devices) {
      const auto there = std::find_if(managed.begin(), managed.end(),
                                      [address = address](const SysfsDevice& d) { return d.address == address; });
      const bool offered = there != managed.end() && !there->cdev.empty();
      if (offered) {
        device.sysfs.has_sriov = there->has_sriov;
        device.sysfs.physical_function = there->physical_function;
      }
      const DeviceState state = device.view.state;
      if (!offered && device.vfio != nullptr) {
        device.removal_pending = true;
        if (!device.operation.has_value()) BeginPending(lock, device);
      } else if (!offered && (state == DeviceState::kTainted || state == DeviceState::kFaulted)) {
        Advance(device, DeviceEvent::kUnplugged, GoneBecause({}));
      } else if (offered && state == DeviceState::kGone && !device.operation.has_value()) {
        device.sysfs = *there;
        arrived.push_back(address);
      }
    }
    for (const SysfsDevice& device : managed) {
      if (device.cdev.empty() || tables.devices.contains(device.address)) continue;
      DeviceEntry& entry = tables.devices[device.address];
      entry.sysfs = device;
      entry.view.address = device.address;
      Advance(entry, DeviceEvent::kUnplugged, "it has just arrived");
      arrived.push_back(device.address);
    }
    PlaceInContexts(managed, arrived);
  }
  for (const PciAddress& address : arrived) Welcome(address);
}

void Core::PlaceInContexts(const std::vector<SysfsDevice>& managed, const std::vector<PciAddress>& arrived) {
  for (const PciAddress& address : arrived) {
    if (const auto old = tables.contexts.find(tables.devices.at(address).view.context); old != tables.contexts.end()) {
      std::erase(old->second.devices, address);
    }
  }
  for (const auto& members : Contexts(managed, options.merged_contexts)) {
    // Where a member of it is already, with mappings and all.
    std::string name;
    for (const PciAddress& member : members) {
      const bool is_new = std::find(arrived.begin(), arrived.end(), member) != arrived.end();
      const DeviceEntry* device = tables.FindDevice(member);
      if (name.empty() && !is_new && device != nullptr) name = device->view.context;
    }
    for (const PciAddress& member : members) {
      if (std::find(arrived.begin(), arrived.end(), member) == arrived.end()) continue;
      if (name.empty()) name = member.ToString();
      ContextEntry& context = tables.contexts[name];
      context.devices.push_back(member);
      std::sort(context.devices.begin(), context.devices.end());
      tables.devices.at(member).view.context = name;
    }
  }
  // A context that all have left: one of a reset set came back while the others were gone, and they followed it.
  for (auto& [name, context] : tables.contexts) {
    if (context.devices.empty() && context.iommu != nullptr) scheduler.Run([iommu = std::move(context.iommu)] {});
  }
}

void Core::Welcome(const PciAddress& address) {
  std::shared_ptr<Strand> strand;
  {
    CoreLock lock(mutex);
    strand = tables.ContextOf(tables.devices.at(address)).strand;
  }
  strand->Post([self = shared_from_this(), address] {
    {
      CoreLock lock(self->mutex);
      if (self->tables.devices.at(address).view.state != DeviceState::kGone) return;
    }
    const absl::Status bound = self->BindAfresh(address);
    if (!bound.ok() && !self->HasCdev(address)) return;  // gone again
    CoreLock lock(self->mutex);
    DeviceEntry& device = self->tables.devices.at(address);
    self->NextGeneration(device);
    device.view.holders.clear();
    if (bound.ok()) return self->Advance(device, DeviceEvent::kReturned);
    self->Advance(device, DeviceEvent::kReturnedUnusable, std::string(bound.message()));
  });
  strand->RunPosted();
}

}  // namespace p2pd
