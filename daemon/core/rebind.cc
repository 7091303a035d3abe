// What happens to devices and address spaces inside an operation, on their context's strand: a reset whose
// mappings come back, or the scrub between two drivers, after which the device is bound afresh.
#include <bit>
#include <set>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/core/core.h"
#include "daemon/core/keeping.h"

namespace p2pd {
namespace {

constexpr absl::Duration kRetryBind = absl::Milliseconds(200);
constexpr int kLookAgain = 25;  // after so many tries, and twice as many each time after, who holds it is looked for

bool IsTimeToLook(int attempt) {
  return attempt % kLookAgain == 0 && std::has_single_bit(unsigned(attempt / kLookAgain));
}

std::string HeldBy(const std::vector<FileHolder>& holders) {
  const std::string who = holders.empty() ? "a process that p2pd cannot see" : Describe(holders);
  return absl::StrCat(who, " still holds its fd: nothing is granted until it lets go");
}

}  // namespace

void Core::WorkOnContext(OperationId id, const std::string& context) {
  std::vector<AddressSpaceId> spaces;
  std::vector<PciAddress> devices;
  OperationKind kind = OperationKind::kRelease;
  bool restore = false;
  bool leave = false;
  {
    CoreLock lock(mutex);
    const OperationEntry& operation = tables.operations.at(id);
    kind = operation.order.kind;
    restore = operation.order.restore;
    leave = operation.order.leave;
    for (AddressSpaceId space : operation.order.spaces) {
      const auto entry = tables.spaces.find(space);
      if (entry != tables.spaces.end() && entry->second.view.context == context) spaces.push_back(space);
    }
    for (const PciAddress& address : operation.order.devices) {
      if (tables.devices.at(address).view.context == context) devices.push_back(address);
    }
  }
  for (AddressSpaceId space : spaces) DestroySpace(id, space);
  if (restore && kind == OperationKind::kReset) {
    ResetForRestore(id);
  } else {
    for (const PciAddress& address : devices) {
      if (restore) {
        LookAfterwards(id, address);
      } else {
        leave ? CloseForGood(id, address) : ScrubAndRebind(id, address);
      }
    }
  }
  DestroyLeftSpaces(context);
}

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
  journal.Forget(space_id);
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

std::string Core::ContextNameOf(const PciAddress& address) {
  CoreLock lock(mutex);
  return tables.devices.at(address).view.context;
}

void Core::ClearMemory(OperationId id, const PciAddress& address, const VfioDevice& vfio) {
  {
    CoreLock lock(mutex);
    DeviceEntry& device = tables.devices.at(address);
    device.holds_data = device.holds_data && vfio.memory_size() > 0;
    if (!device.holds_data) return;
  }
  // Before the reset: a reset turns some memory off, and keeps what is in it.
  const absl::Status cleared =
      RunStep(id, absl::StrCat("clear ", vfio.memory_size() >> 10, " KiB of its memory"), [&]() -> absl::Status {
        P2PD_RETURN_IF_ERROR(vfio.config().SetMemoryDecode(true));
        return vfio.ClearMemory();
      });
  CoreLock lock(mutex);
  tables.devices.at(address).holds_data = !cleared.ok();
}

absl::Status Core::Scrub(OperationId id, const PciAddress& address, const VfioDevice& vfio) {
  RunStep(id, "interrupts off", [&] { return vfio.DisableInterrupts(); }).IgnoreError();
  ClearMemory(id, address, vfio);
  RunStep(id, "flush posted writes", [&] { return vfio.FlushPostedWrites(); }).IgnoreError();
  if (!vfio.can_reset()) return absl::UnimplementedError("it has no function reset");
  return RunStep(id, "reset", [&] { return vfio.Reset(); });
}

std::optional<FileIdentity> Core::Close(OperationId id, const PciAddress& address, bool scrubbed) {
  std::shared_ptr<VfioDevice> vfio;
  std::optional<VfToken> token;
  {
    CoreLock lock(mutex);
    DeviceEntry& device = tables.devices.at(address);
    if (device.vfio == nullptr) return std::nullopt;
    vfio = std::move(device.vfio);
    token = device.vf_token;
    device.signals.clear();
    device.scrubbed = scrubbed;
  }
  // Its driver may have set another, and the next bind is asked for it.
  if (token.has_value()) vfio->SetVfToken(*token).IgnoreError();
  const FileIdentity file = vfio->file();
  RunStep(id, "close", [&] {
    LetGo(*this, address);
    vfio.reset();
    return absl::OkStatus();
  }).IgnoreError();
  return file;
}

void Core::ScrubAndRebind(OperationId id, const PciAddress& address) {
  std::shared_ptr<VfioDevice> vfio;
  {
    CoreLock lock(mutex);
    vfio = tables.devices.at(address).vfio;
  }
  const bool scrubbed = vfio != nullptr && Scrub(id, address, *vfio).ok();
  vfio.reset();
  const auto file = Close(id, address, scrubbed);
  AfterBind(id, address, RunStep(id, "bind", [&] { return BindAfresh(address); }), file);
  RepairVirtualFunctions(address);
}

void Core::AfterBind(OperationId id, const PciAddress& address, const absl::Status& bound,
                     const std::optional<FileIdentity>& file) {
  if (!bound.ok() && !HasCdev(address)) {
    // The kernel takes it back: when it returns, it is found.
    PartWith(address, file);
    CoreLock lock(mutex);
    OperationEntry& operation = tables.operations.at(id);
    if (operation.view.error.empty()) operation.view.error = std::string(bound.message());
    return;
  }
  const bool held = GetErrorInfo(bound).error == EINVAL;
  std::vector<FileHolder> holders;
  if (held && file.has_value()) holders = options.find_holders(*file);
  KillHolders(id, address, holders);
  CoreLock lock(mutex);
  DeviceEntry& device = tables.devices.at(address);
  Advance(device, DeviceEvent::kResetEnded);
  ForgetDriver(device);
  device.resume.reset();
  Note(device);
  if (bound.ok()) {
    // Bound afresh, it is as good as new, whatever it was before.
    if (device.view.state == DeviceState::kFaulted) Advance(device, DeviceEvent::kRestoredWithout);
    return;
  }
  OperationEntry& operation = tables.operations.at(id);
  if (operation.view.error.empty()) operation.view.error = std::string(bound.message());
  if (!held && !IsTransient(bound)) return Advance(device, DeviceEvent::kFailed, std::string(bound.message()));
  device.held_file = file;
  device.holds_data = true;  // whoever holds it can write to it still
  device.view.holders = std::move(holders);
  Advance(device, DeviceEvent::kHeldByOthers,
          held ? HeldBy(device.view.holders) : absl::StrCat("cannot be bound just now: ", bound.message()));
  scheduler.RunAfter(kRetryBind, [self = shared_from_this(), address] { self->RetryBind(address, 1); });
}

void Core::KillHolders(OperationId id, const PciAddress& address, const std::vector<FileHolder>& holders) {
  {
    CoreLock lock(mutex);
    if (!tables.devices.at(address).grounds.limits.kill_holder) return;
  }
  std::set<std::string> units;
  for (const FileHolder& holder : holders) units.insert(holder.unit);
  for (const std::string& unit : units) {
    const std::string what = unit.empty() ? "the unit of the fd's holder" : absl::StrCat(unit, ", which keeps the fd");
    RunStep(id, absl::StrCat("kill ", what), [&] { return options.kill_unit(unit); }).IgnoreError();
  }
}

absl::Status NobodyKills(const std::string& unit) {
  return absl::UnavailableError(absl::StrCat("nothing here can kill ", unit));
}

absl::Status Core::BindAfresh(const PciAddress& address, bool same_context) {
  SysfsDevice sysfs;
  bool holds_data = false;
  std::shared_ptr<IommuContext> context;
  {
    CoreLock lock(mutex);
    const DeviceEntry& device = tables.devices.at(address);
    sysfs = device.sysfs;
    holds_data = device.holds_data;
    const ContextEntry& entry = tables.ContextOf(device);
    // Devices of one context share its iommufd; a device alone gets a new one with each driver.
    if (same_context || entry.devices.size() > 1) context = entry.iommu;
  }
  // vfioN changes with each bind to vfio-pci: what it was at the start may be another device by now.
  P2PD_ASSIGN_OR_RETURN(sysfs.cdev, Sysfs(options.sysfs_root).FindCdev(address));
  if (context == nullptr) {
    LetGoOfContext(*this, ContextNameOf(address));
    P2PD_ASSIGN_OR_RETURN(context, IommuContext::Open(kernel));
  }
  P2PD_ASSIGN_OR_RETURN(const std::optional<VfToken> token, VfTokenFor(address));
  P2PD_ASSIGN_OR_RETURN(std::shared_ptr<VfioDevice> vfio, VfioDevice::Open(kernel, sysfs, context, token));
  std::vector<std::unique_ptr<SignalWaiter::Watch>> signals;
  P2PD_RETURN_IF_ERROR(WaitForSignals(address, *vfio, signals));
  // Of a driver that kept an fd, or whose end left no time.
  const bool cleared = holds_data && vfio->ClearMemory().ok();
  CoreLock lock(mutex);
  DeviceEntry& device = tables.devices.at(address);
  if (cleared) device.holds_data = false;
  device.vfio = std::move(vfio);
  device.signals = std::move(signals);
  // The bind itself resets the function where it can.
  device.scrubbed = device.scrubbed || device.vfio->can_reset();
  tables.ContextOf(device).iommu = std::move(context);
  Describe(device);
  DropLingering(address);
  Note(device);
  return absl::OkStatus();
}

void Core::RetryBind(const PciAddress& address, int attempt) {
  std::shared_ptr<Strand> strand;
  {
    CoreLock lock(mutex);
    const DeviceEntry& device = tables.devices.at(address);
    if (stopping || device.view.state != DeviceState::kTainted) return;
    strand = tables.ContextOf(device).strand;
  }
  strand->Post([self = shared_from_this(), address, attempt] {
    const absl::Status bound = self->BindAfresh(address);
    if (bound.ok()) self->DestroyLeftSpaces(self->ContextNameOf(address));
    if (!bound.ok() && IsTimeToLook(attempt)) self->LookForHolders(address);
    CoreLock lock(self->mutex);
    DeviceEntry& device = self->tables.devices.at(address);
    if (bound.ok()) {
      device.view.holders.clear();
      return self->Advance(device, DeviceEvent::kRestoredWithout);
    }
    self->scheduler.RunAfter(kRetryBind, [self, address, attempt] { self->RetryBind(address, attempt + 1); });
  });
  strand->RunPosted();
}

void Core::LookForHolders(const PciAddress& address) {
  std::optional<FileIdentity> file;
  {
    CoreLock lock(mutex);
    file = tables.devices.at(address).held_file;
  }
  if (!file.has_value()) return;
  std::vector<FileHolder> holders = options.find_holders(*file);
  CoreLock lock(mutex);
  DeviceEntry& device = tables.devices.at(address);
  if (device.view.holders == holders) return;
  device.view.holders = std::move(holders);
  device.view.state_reason = HeldBy(device.view.holders);
  tables.Changed(device);
}

}  // namespace p2pd
