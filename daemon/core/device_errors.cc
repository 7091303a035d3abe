// What a device tells of, and what shows that its driver has turned its memory decode off. After an uncorrectable error
// (PCIe AER) its importers are unmapped at once, unasked. If the device still has its configuration when the kernel has
// recovered (error_recovery.cc), the mappings come back as after a reset. A fatal error has cleared it, behind VFIO's
// back (pci_bus_error_reset saves and restores nothing, and dma-bufs still count as live): then it is taken from its
// driver, closed and bound anew, its windows are exported again, and the mappings come back at their IOVAs; whoever
// holds a dma-buf of it is told that it is dead.
#include <errno.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <latch>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/core/core.h"
#include "daemon/core/keeping.h"

namespace p2pd {
namespace {

absl::string_view What(Trouble trouble) {
  switch (trouble) {  // No default: the compiler finds a forgotten one.
    case Trouble::kError:
      return "told of an error";
    case Trouble::kCleared:
      return "was cleared by an error";
    case Trouble::kPhysicalReset:
      return "lost its state: its physical function was reset";
    case Trouble::kDecodeOff:
      return "had its memory decode turned off";
  }
  return "?";
}

}  // namespace

absl::Status Core::WaitForSignals(const PciAddress& address, const VfioDevice& vfio,
                                  std::vector<std::unique_ptr<SignalWaiter::Watch>>& signals) {
  if (options.signals == nullptr) return absl::OkStatus();
  for (const DeviceSignal signal : {DeviceSignal::kError, DeviceSignal::kRequest}) {
    UniqueFd eventfd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!eventfd.valid()) return ErrnoError("eventfd", DeviceName(address), errno);
    const absl::Status armed = vfio.SetSignal(signal, eventfd);
    // A device that is not PCI Express has no errors to tell of.
    if (absl::IsInvalidArgument(armed) && signal == DeviceSignal::kError) continue;
    P2PD_RETURN_IF_ERROR(armed);
    signals.push_back(options.signals->Wait(std::move(eventfd), [core = weak_from_this(), address, signal] {
      const auto self = core.lock();
      if (self == nullptr) return;
      self->scheduler.Run([self, address, signal] { self->OnSignal(address, signal); });
    }));
  }
  return absl::OkStatus();
}

void Core::OnSignal(const PciAddress& address, DeviceSignal signal) {
  CoreLock lock(mutex);
  DeviceEntry& device = tables.devices.at(address);
  if (device.vfio == nullptr) return;  // of before it was closed
  if (signal == DeviceSignal::kError) {
    device.trouble = Trouble::kError;
  } else {
    device.removal_pending = true;
  }
  if (!device.operation.has_value()) BeginPending(lock, device);
}

void Core::BeginPending(CoreLock& lock, DeviceEntry& device) {
  const bool removal = std::exchange(device.removal_pending, false);
  const bool look = std::exchange(device.look_pending, false);
  const auto trouble = std::exchange(device.trouble, std::nullopt);
  auto end = std::exchange(device.end_pending, std::nullopt);
  if (device.vfio != nullptr && removal) {
    BeginRemoval(lock, device);  // takes everything with it
  } else if (device.vfio != nullptr && trouble.has_value()) {
    device.end_pending = std::move(end);
    BeginRepair(lock, device, *trouble);
  } else if (end.has_value() && device.view.driver.has_value()) {
    RevokeOrder order = DriverEnd({device.view.address}, device.view.driver);
    order.kind = end->kind;
    order.reason = std::move(end->reason);
    Revoke(lock, std::move(order));
  } else if (look) {
    LookLater(lock, device);
  }
}

void Core::BeginRepair(CoreLock& lock, DeviceEntry& device, Trouble trouble) {
  if (device.operation.has_value()) return;
  RevokeOrder order = {.kind = OperationKind::kDeviceError,
                       .reason = absl::StrCat(DeviceName(device.view.address), " ", What(trouble)),
                       .devices = {device.view.address},
                       .restore = true,
                       .trouble = trouble,
                       .deadline = absl::ZeroDuration()};
  for (const auto& [id, entry] : tables.exports) {
    if (entry.view.window.device != device.view.address) continue;
    order.mappings.insert(order.mappings.end(), entry.mappings.begin(), entry.mappings.end());
  }
  Revoke(lock, std::move(order));
}

void Core::LookAfterwards(OperationId id, const PciAddress& address) {
  std::shared_ptr<VfioDevice> vfio;
  bool slept = false;
  std::optional<Trouble> trouble;
  {
    CoreLock lock(mutex);
    vfio = tables.devices.at(address).vfio;
    const RevokeOrder& order = tables.operations.at(id).order;
    slept = order.kind == OperationKind::kSleep;
    trouble = order.trouble;
  }
  if (trouble == Trouble::kDecodeOff) {
    RunStep(id, "memory decode on", [&] { return vfio->config().SetMemoryDecode(true); }).IgnoreError();
  }
  bool intact = false;
  RunStep(id, "look at its configuration", [&] {
    P2PD_ASSIGN_OR_RETURN(intact, vfio->config().MemoryDecodeOn());
    return absl::OkStatus();
  }).IgnoreError();
  vfio.reset();
  if (!intact)
    return Reopen(id, address, slept ? "it lost its state while the system slept" : "an error has cleared the device");
  CoreLock lock(mutex);
  Advance(tables.devices.at(address), DeviceEvent::kResetEnded);
}

void Core::RunOn(const std::shared_ptr<Strand>& strand, absl::FunctionRef<void()> work) {
  std::latch done(1);
  strand->Post([&] {
    work();
    done.count_down();
  });
  strand->RunPosted();
  done.wait();
}

void Core::Reopen(OperationId id, const PciAddress& address, const std::string& reason) {
  std::vector<std::pair<AddressSpaceId, std::shared_ptr<Strand>>> spaces;
  std::shared_ptr<VfioDevice> vfio;
  {
    CoreLock lock(mutex);
    DeviceEntry& device = tables.devices.at(address);
    TellHolders(lock, device, reason);
    DropExportsOf(address, /*raw_only=*/true, reason);
    for (auto& [space_id, space] : tables.spaces) {
      const auto& attached = space.view.devices;
      if (std::find(attached.begin(), attached.end(), address) == attached.end()) continue;
      space.closing = true;
      spaces.emplace_back(space_id, space.strand);
    }
    vfio = device.vfio;
  }
  // What it could reach goes with its driver.
  RunStep(id, "bus master off", [&] { return vfio->config().SetBusMaster(false); }).IgnoreError();
  for (const auto& [space, strand] : spaces) {
    // Among what else is under way in it: an id of the kernel's that is free may be another's the next moment.
    RunOn(strand, [&, space = space] { DestroySpace(id, space); });
  }
  vfio.reset();
  const auto file = Close(id, address, /*scrubbed=*/false);
  absl::Status bound = RunStep(id, "bind", [&] { return BindAfresh(address, /*same_context=*/true); });
  if (bound.ok()) {
    bound = RunStep(id, "export its windows anew", [&] { return ExportAgain(address); });
    // Whoever tries again binds it again.
    if (!bound.ok()) Close(id, address, /*scrubbed=*/false);
  }
  AfterBind(id, address, bound, file);
  if (bound.ok()) return;
  CoreLock lock(mutex);
  DropExportsOf(address, /*raw_only=*/false, reason);
}

absl::Status Core::ExportAgain(const PciAddress& address) {
  std::shared_ptr<VfioDevice> vfio;
  std::vector<ExportView> views;
  {
    CoreLock lock(mutex);
    vfio = tables.devices.at(address).vfio;
    for (const auto& [id, entry] : tables.exports) {
      if (entry.view.window.device == address && entry.dma_buf != nullptr) views.push_back(entry.view);
    }
  }
  if (!views.empty()) P2PD_RETURN_IF_ERROR(Keep(*this, address));
  for (const ExportView& view : views) {
    P2PD_ASSIGN_OR_RETURN(const auto dma_buf, vfio->DmaBufFor(view.window.bar, view.window.range));
    CoreLock lock(mutex);
    const auto entry = tables.exports.find(view.id);
    if (entry == tables.exports.end()) continue;
    std::shared_ptr<const DmaBuf> dead = std::exchange(entry->second.dma_buf, dma_buf);
    for (const MappingId mapping : entry->second.mappings) tables.FindMapping(mapping)->dma_buf = dma_buf;
    Release(std::move(dead), address);
  }
  return absl::OkStatus();
}

void Core::DropExportsOf(const PciAddress& address, bool raw_only, const std::string& reason) {
  std::vector<ExportId> gone;
  for (auto& [id, entry] : tables.exports) {
    if (entry.view.window.device != address) continue;
    if (raw_only && entry.view.grade != Grade::kRaw) continue;
    entry.closing = true;
    gone.push_back(id);
  }
  for (const ExportId id : gone) {
    const std::set<MappingId> mappings = tables.exports.at(id).mappings;
    for (const MappingId mapping : mappings) {
      // One that could not be unmapped stays on the books, and its window with it.
      if (MappingEntry* entry = tables.FindMapping(mapping); !entry->live) Drop(*entry, reason);
    }
    const auto entry = tables.exports.find(id);
    if (entry != tables.exports.end() && entry->second.mappings.empty()) End(entry->second);
  }
}

void Core::TellHolders(CoreLock& lock, const DeviceEntry& device, const std::string& reason) {
  std::set<SessionId> told;
  if (device.view.driver.has_value()) told.insert(*device.view.driver);
  for (const auto& [id, entry] : tables.exports) {
    const bool raw = entry.view.grade == Grade::kRaw && entry.view.window.device == device.view.address;
    if (raw) told.insert(entry.view.session);
  }
  for (const SessionId id : told) {
    const SessionEntry* session = tables.FindSession(id);
    if (session == nullptr || session->ended) continue;
    lock.After([channel = session->channel, address = device.view.address, reason] {
      channel->RevokeDevice(address, reason);
    });
  }
}

}  // namespace p2pd
