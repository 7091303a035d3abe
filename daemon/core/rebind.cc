// What happens to devices and address spaces inside an operation, on their context's strand: a reset whose
// mappings come back, or the scrub between two drivers, after which the device is bound afresh.
#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/core/core.h"

namespace p2pd {
namespace {

constexpr absl::Duration kRetryBind = absl::Milliseconds(200);

}  // namespace

void Core::DestroySpace(OperationId id, AddressSpaceId space_id) {
  std::shared_ptr<AddressSpace> ioas;
  std::vector<std::shared_ptr<VfioDevice>> attached;
  {
    CoreLock lock(mutex);
    const auto space = tables.spaces.find(space_id);
    if (space == tables.spaces.end()) return;
    ioas = space->second.ioas;
    for (const PciAddress& address : space->second.view.devices) {
      if (const auto& vfio = tables.devices.at(address).vfio; vfio != nullptr) attached.push_back(vfio);
    }
  }
  const absl::Status status = RunStep(id, absl::StrCat("destroy address-spaces/", space_id.value()), [&] {
    for (const auto& vfio : attached) P2PD_RETURN_IF_ERROR(vfio->Detach());
    return ioas == nullptr ? absl::OkStatus() : ioas->Destroy();
  });
  CoreLock lock(mutex);
  const auto space = tables.spaces.find(space_id);
  if (!status.ok()) {
    // Its mappings may still be reachable, so they, and it, stay on the books. Its owner, if there is one, may
    // try again; else the next operation on the context does.
    const auto operation = tables.operations.find(id);
    if (operation != tables.operations.end() && operation->second.view.error.empty()) {
      operation->second.view.error = std::string(status.message());
    }
    space->second.closing =
        !tables.sessions.contains(space->second.view.session) || tables.sessions.at(space->second.view.session).ended;
    return;
  }
  // With the IOAS went every area that UNMAP could not remove.
  const std::set<MappingId> mappings = space->second.mappings;
  for (MappingId mapping : mappings) Drop(*tables.FindMapping(mapping), "its address space is gone");
  tables.Publish(EventType::kDeleted, space->second.view, space->second.view.session);
  tables.spaces.erase(space);
}

void Core::DestroyLeftSpaces(const std::string& context) {
  std::vector<AddressSpaceId> left;
  {
    CoreLock lock(mutex);
    for (const auto& [id, space] : tables.spaces) {
      if (space.view.context == context && space.closing && !tables.sessions.contains(space.view.session)) {
        left.push_back(id);
      }
    }
  }
  for (AddressSpaceId space : left) DestroySpace(OperationId(), space);
}

void Core::ResetForRestore(OperationId id, const PciAddress& address) {
  std::shared_ptr<VfioDevice> vfio;
  {
    CoreLock lock(mutex);
    vfio = tables.devices.at(address).vfio;
    journal.Write({.verb = JournalVerb::kReset, .phase = JournalPhase::kIntent, .device = address}).IgnoreError();
  }
  RunStep(id, "flush posted writes", [&] { return vfio->FlushPostedWrites(); }).IgnoreError();
  const absl::Status reset = RunStep(id, "reset", [&] { return vfio->Reset(); });
  // A failed reset has revoked too: the mappings are put back in either case, once memory decode is on.
  const absl::Status decode = RunStep(id, "memory decode on", [&] { return vfio->config().SetMemoryDecode(true); });
  CoreLock lock(mutex);
  DeviceEntry& device = tables.devices.at(address);
  OperationEntry& operation = tables.operations.at(id);
  const JournalPhase phase = reset.ok() ? JournalPhase::kDone : JournalPhase::kFailed;
  journal.Write({.verb = JournalVerb::kReset, .phase = phase, .device = address}).IgnoreError();
  for (const absl::Status& status : {reset, decode}) {
    if (!status.ok() && operation.view.error.empty()) operation.view.error = std::string(status.message());
  }
  if (decode.ok()) {
    Advance(device, DeviceEvent::kResetEnded);
  } else {
    Advance(device, DeviceEvent::kFailed, operation.view.error);
  }
}

void Core::ScrubAndRebind(OperationId id, const PciAddress& address) {
  std::shared_ptr<VfioDevice> vfio;
  {
    CoreLock lock(mutex);
    vfio = tables.devices.at(address).vfio;
  }
  absl::Status scrub = absl::OkStatus();
  if (vfio != nullptr) {
    RunStep(id, "interrupts off", [&] { return vfio->DisableInterrupts(); }).IgnoreError();
    RunStep(id, "flush posted writes", [&] { return vfio->FlushPostedWrites(); }).IgnoreError();
    if (vfio->can_reset()) scrub = RunStep(id, "reset", [&] { return vfio->Reset(); });
    {
      CoreLock lock(mutex);
      DeviceEntry& device = tables.devices.at(address);
      device.vfio.reset();
      device.scrubbed = vfio->can_reset() && scrub.ok();
    }
    RunStep(id, "close", [&] {
      vfio.reset();
      return absl::OkStatus();
    }).IgnoreError();
  }
  const absl::Status bound = RunStep(id, "bind", [&] { return BindAfresh(address); });
  CoreLock lock(mutex);
  DeviceEntry& device = tables.devices.at(address);
  Advance(device, DeviceEvent::kResetEnded);
  device.view.driver.reset();
  device.resume.reset();
  if (bound.ok()) {
    // Bound afresh, it is as good as new, whatever it was before.
    if (device.view.state == DeviceState::kFaulted) Advance(device, DeviceEvent::kRestoredWithout);
    return;
  }
  OperationEntry& operation = tables.operations.at(id);
  if (operation.view.error.empty()) operation.view.error = std::string(bound.message());
  const bool held = GetErrorInfo(bound).error == EINVAL;
  if (!held && !IsTransient(bound)) return Advance(device, DeviceEvent::kFailed, std::string(bound.message()));
  Advance(device, DeviceEvent::kHeldByOthers,
          held ? "a process still holds the device's fd: nothing is granted until it lets go"
               : absl::StrCat("cannot be bound just now: ", bound.message()));
  scheduler.RunAfter(kRetryBind, [self = shared_from_this(), address] { self->RetryBind(address); });
}

absl::Status Core::BindAfresh(const PciAddress& address) {
  SysfsDevice sysfs;
  std::shared_ptr<IommuContext> context;
  {
    CoreLock lock(mutex);
    const DeviceEntry& device = tables.devices.at(address);
    sysfs = device.sysfs;
    const ContextEntry& entry = tables.ContextOf(device);
    // Devices of one context share its iommufd; a device alone gets a new one with each driver.
    if (entry.devices.size() > 1) context = entry.iommu;
    journal.Write({.verb = JournalVerb::kBind, .phase = JournalPhase::kIntent, .device = address}).IgnoreError();
  }
  // vfioN changes with each bind to vfio-pci: what it was at the start may be another device by now.
  P2PD_ASSIGN_OR_RETURN(sysfs.cdev, Sysfs(options.sysfs_root).FindCdev(address));
  if (context == nullptr) {
    P2PD_ASSIGN_OR_RETURN(context, IommuContext::Open(kernel));
  }
  P2PD_ASSIGN_OR_RETURN(std::shared_ptr<VfioDevice> vfio, VfioDevice::Open(kernel, sysfs, context));
  CoreLock lock(mutex);
  DeviceEntry& device = tables.devices.at(address);
  device.vfio = std::move(vfio);
  // The bind itself resets the function where it can.
  device.scrubbed = device.scrubbed || device.vfio->can_reset();
  tables.ContextOf(device).iommu = std::move(context);
  Describe(device);
  DropLingering(address);
  journal.Write({.verb = JournalVerb::kBind, .phase = JournalPhase::kDone, .device = address}).IgnoreError();
  return absl::OkStatus();
}

void Core::RetryBind(const PciAddress& address) {
  std::shared_ptr<Strand> strand;
  {
    CoreLock lock(mutex);
    const DeviceEntry& device = tables.devices.at(address);
    if (stopping || device.view.state != DeviceState::kTainted) return;
    strand = tables.ContextOf(device).strand;
  }
  strand->Post([self = shared_from_this(), address] {
    const absl::Status bound = self->BindAfresh(address);
    if (bound.ok()) self->DestroyLeftSpaces(self->ContextNameOf(address));
    CoreLock lock(self->mutex);
    DeviceEntry& device = self->tables.devices.at(address);
    if (bound.ok()) return self->Advance(device, DeviceEvent::kRestoredWithout);
    self->scheduler.RunAfter(kRetryBind, [self, address] { self->RetryBind(address); });
  });
  strand->RunPosted();
}

}  // namespace p2pd
