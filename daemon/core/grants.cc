// Exports, the rights to windows; and address spaces, where mappings go.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "daemon/base/errors.h"
#include "daemon/core/core.h"
#include "daemon/core/keeping.h"
#include "daemon/core/once.h"
#include "daemon/core/rows.h"

namespace p2pd {
namespace {

absl::Status NotFound(absl::string_view step, const std::string& object) {
  return MakeError(absl::StatusCode::kNotFound,
                   {.reason = Reason::kNotFound, .step = std::string(step), .object = object},
                   "no such object, or not this session's");
}

}  // namespace

// ---- Exports ---------------------------------------------------------------------------------------------

absl::StatusOr<ExportEntry*> Core::RequireExport(SessionId owner, ExportId id) {
  const auto entry = tables.exports.find(id);
  if (entry == tables.exports.end() || entry->second.view.session != owner || entry->second.dma_buf == nullptr ||
      entry->second.closing) {
    return NotFound("find export", absl::StrCat("exports/", id.value()));
  }
  return &entry->second;
}

void Broker::CreateExport(SessionId session, const std::string& request_id, const Window& window, const Terms& terms,
                          Done<ExportView> done) {
  const std::string fingerprint = absl::StrCat("CreateExport ", WindowName(window), " ", static_cast<int>(terms.grade),
                                               " ", absl::FormatDuration(terms.time_to_live));
  core_->Once<ExportView>(session, request_id, fingerprint, std::move(done),
                          [&](CoreLock& lock, SessionEntry& entry, Done<ExportView>& finish) {
                            core_->mutex.AssertHeld();
                            return core_->BeginCreateExport(lock, entry, request_id, window, terms, finish);
                          });
}

absl::Status Core::BeginCreateExport(CoreLock& lock, SessionEntry& session, const std::string& request_id,
                                     const Window& window, const Terms& terms, Done<ExportView>& finish) {
  const Grade grade = terms.grade;
  P2PD_RETURN_IF_ERROR(CheckTimeToLive(terms.time_to_live, "CreateExport", WindowName(window)));
  P2PD_ASSIGN_OR_RETURN(DeviceEntry* const device, RequireDevice(window.device));
  P2PD_RETURN_IF_ERROR(CheckWindow(device->view, window, "CreateExport"));
  ExportView view = {
      .session = session.view.id, .window = window, .grade = grade, .generation = device->view.generation};
  const absl::Status not_ready = MakeError(absl::StatusCode::kUnavailable,
                                           {.reason = Reason::kDeviceNotReady,
                                            .step = "CreateExport",
                                            .object = WindowName(window),
                                            .hint = "try again when it is READY"},
                                           absl::StrCat("the device is ", Name(device->view.state)));
  // Which action it takes only the device can tell.
  if (device->vfio == nullptr) return not_ready;
  view.control = !device->vfio->bars()[window.bar].prefetchable;
  P2PD_ASSIGN_OR_RETURN(const std::vector<Verdict> verdicts, PermitAll(session, WindowName(window), AskedFor(view)));
  // Through p2pd nothing is mapped from a device that its driver has not set up; with its dma-buf anything could be.
  const bool unready = grade == Grade::kRaw && device->view.state != DeviceState::kReady;
  P2PD_RETURN_IF_ERROR(CheckAwake("CreateExport", WindowName(window)));
  if (device->operation.has_value() || unready) return not_ready;
  P2PD_ASSIGN_OR_RETURN(Grounds grounds, RestOn(session, window.range.length, verdicts));
  for (const auto& [id, other] : tables.exports) {
    const Window& taken = other.view.window;
    if (taken.device != window.device || taken.bar != window.bar || !taken.range.Overlaps(window.range)) continue;
    if (other.view.session == session.view.id) continue;
    if (grounds.limits.shared && other.grounds.limits.shared) continue;
    return MakeError(absl::StatusCode::kAlreadyExists,
                     {.reason = Reason::kOverlap,
                      .step = "CreateExport",
                      .object = WindowName(window),
                      .hint = "exports are exclusive: take another window, or wait for that one's release"},
                     "it overlaps an export of another session");
  }
  P2PD_ASSIGN_OR_RETURN(Quota::Charge charge, quota.Take(HolderOf(session), Resource::kExports));
  view.id = ExportId(tables.NextId());
  // In the table at once, so that nobody else gets the window meanwhile.
  ExportEntry& entry = tables.exports[view.id];
  view.rule = grounds.rule;
  view.rule_origin = grounds.origin;
  entry = {.view = view, .grounds = std::move(grounds), .granted = Now(), .charge = std::move(charge)};
  SetExpiry(entry, terms.time_to_live);
  lock.Post(tables.ContextOf(*device).strand,
            [self = shared_from_this(), id = view.id, request_id, finish = std::move(finish)]() mutable {
              self->FinishCreateExport(id, request_id, std::move(finish));
            });
  return absl::OkStatus();
}

void Core::FinishCreateExport(ExportId id, const std::string& request_id, Done<ExportView> finish) {
  ExportView view;
  {
    CoreLock lock(mutex);
    const auto entry = tables.exports.find(id);
    if (entry != tables.exports.end()) view = entry->second.view;
  }
  auto dma_buf = MakeDmaBuf(view);
  absl::Status status = dma_buf.ok() ? Keep(*this, view.window.device) : dma_buf.status();
  const std::string fd_name = Keeps(*this) && view.grade == Grade::kRaw ? RawExportFdName(id.value()) : "";
  if (status.ok() && !fd_name.empty()) status = PutAnew(*this, fd_name, (*dma_buf)->fd);
  const bool kept = status.ok() && !fd_name.empty();
  std::shared_ptr<SessionChannel> channel;
  {
    CoreLock lock(mutex);
    const auto entry = tables.exports.find(id);
    if (kept && entry != tables.exports.end()) entry->second.fd_name = fd_name;
    if (status.ok()) status = CheckStands(entry == tables.exports.end() ? nullptr : &entry->second);
    if (status.ok()) status = journal.Grant(RowOf(entry->second));
    if (status.ok()) {
      entry->second.dma_buf = *dma_buf;
      channel = tables.FindSession(view.session)->channel;
    }
  }
  // Only what stands is handed out. It may still fall right then: then it lingers.
  if (status.ok() && view.grade == Grade::kRaw) status = HandOut(**dma_buf, view.id, request_id, *channel);
  {
    CoreLock lock(mutex);
    if (const auto entry = tables.exports.find(id); entry != tables.exports.end()) {
      entry->second.making = false;
      if (status.ok()) status = CheckStands(&entry->second);
      if (status.ok()) {
        entry->second.announced = true;
        tables.Publish(EventType::kCreated, view, view.session);
      } else {
        End(entry->second);
      }
    }
  }
  if (!status.ok()) return finish(status);
  finish(std::move(view));
}

absl::Status Core::CheckStands(const ExportEntry* entry) {
  const SessionEntry* session = entry == nullptr ? nullptr : tables.FindSession(entry->view.session);
  if (session == nullptr || session->ended) return SessionEnded();
  const DeviceEntry& device = tables.devices.at(entry->view.window.device);
  if (!entry->closing && device.view.generation == entry->view.generation) return absl::OkStatus();
  return MakeError(absl::StatusCode::kUnavailable,
                   {.reason = Reason::kDeviceNotReady,
                    .step = "CreateExport",
                    .object = WindowName(entry->view.window),
                    .hint = "try again when the device is READY"},
                   "the device was reset, or taken away, while its window was being exported");
}

absl::StatusOr<std::shared_ptr<const DmaBuf>> Core::MakeDmaBuf(const ExportView& view) {
  std::shared_ptr<VfioDevice> vfio;
  {
    CoreLock lock(mutex);
    if (const DeviceEntry* device = tables.FindDevice(view.window.device)) vfio = device->vfio;
  }
  if (vfio == nullptr) return absl::UnavailableError("the device was taken away while its window was being exported");
  if (view.grade != Grade::kRaw) return vfio->DmaBufFor(view.window.bar, view.window.range);
  return vfio->ExportAlone(view.window.bar, view.window.range);
}

absl::Status Core::HandOut(const DmaBuf& dma_buf, ExportId id, const std::string& request_id, SessionChannel& channel) {
  P2PD_ASSIGN_OR_RETURN(UniqueFd shared, kernel.ShareDmaBuf(dma_buf.fd));
  return channel.Grant(id, request_id, std::move(shared));
}

void Broker::DeleteExport(SessionId session, const std::string& request_id, ExportId id, Done<OperationView> done) {
  const auto body = [&](CoreLock& lock, SessionEntry&, Done<OperationView>& finish) -> absl::Status {
    core_->mutex.AssertHeld();
    P2PD_ASSIGN_OR_RETURN(ExportEntry* const entry, core_->RequireExport(session, id));
    RevokeOrder order = core_->ExportEnd(*entry);
    order.reason = "its export was deleted";
    order.exempt = session;
    order.done = std::move(finish);
    core_->Revoke(lock, std::move(order));
    return absl::OkStatus();
  };
  core_->Once<OperationView>(session, request_id, absl::StrCat("DeleteExport ", id.value()), std::move(done), body);
}

RevokeOrder Core::ExportEnd(const ExportEntry& entry) {
  RevokeOrder order = {.exports = {entry.view.id}};
  order.mappings.assign(entry.mappings.begin(), entry.mappings.end());
  return order;
}

void Broker::RevokeExport(SessionId session, const std::string& request_id, ExportId id, const std::string& reason,
                          Done<OperationView> done) {
  const std::string name = absl::StrCat("exports/", id.value());
  const auto body = [&](CoreLock& lock, SessionEntry& asking, Done<OperationView>& finish) -> absl::Status {
    core_->mutex.AssertHeld();
    const auto entry = core_->tables.exports.find(id);
    const DeviceEntry* device =
        entry == core_->tables.exports.end() ? nullptr : &core_->tables.devices.at(entry->second.view.window.device);
    P2PD_RETURN_IF_ERROR(core_->Permit(asking, name, {.action = Action::kAdmin, .exporter = device}).status());
    if (device == nullptr || entry->second.dma_buf == nullptr || entry->second.closing) {
      return NotFound("RevokeExport", name);
    }
    RevokeOrder order = core_->ExportEnd(entry->second);
    order.reason = absl::StrCat("revoked by sessions/", session.value(), reason.empty() ? "" : ": ", reason);
    order.done = std::move(finish);
    core_->Revoke(lock, std::move(order));
    return absl::OkStatus();
  };
  core_->Once<OperationView>(session, request_id, absl::StrCat("RevokeExport ", id.value(), " ", reason),
                             std::move(done), body);
}

// ---- Address spaces --------------------------------------------------------------------------------------

absl::StatusOr<AddressSpaceEntry*> Core::RequireSpace(SessionId owner, AddressSpaceId id) {
  const auto entry = tables.spaces.find(id);
  if (entry == tables.spaces.end() || entry->second.view.session != owner || entry->second.ioas == nullptr ||
      entry->second.closing) {
    return NotFound("find address space", absl::StrCat("address-spaces/", id.value()));
  }
  return &entry->second;
}

void Broker::CreateAddressSpace(SessionId session, const std::string& request_id,
                                const std::vector<PciAddress>& devices, Done<AddressSpaceView> done) {
  std::string fingerprint = "CreateAddressSpace";
  for (const PciAddress& device : devices) absl::StrAppend(&fingerprint, " ", device.ToString());
  core_->Once<AddressSpaceView>(session, request_id, fingerprint, std::move(done),
                                [&](CoreLock& lock, SessionEntry& entry, Done<AddressSpaceView>& finish) {
                                  core_->mutex.AssertHeld();
                                  return core_->BeginCreateSpace(lock, entry, devices, finish);
                                });
}

absl::Status Core::BeginCreateSpace(CoreLock& lock, SessionEntry& session, const std::vector<PciAddress>& devices,
                                    Done<AddressSpaceView>& finish) {
  const auto refuse = [](const std::string& object, absl::StatusCode code, Reason reason, absl::string_view what,
                         absl::string_view hint) {
    return MakeError(
        code, {.reason = reason, .step = "CreateAddressSpace", .object = object, .hint = std::string(hint)}, what);
  };
  if (devices.empty()) {
    return refuse("devices", absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument, "none is named",
                  "name the devices that are to reach the mappings");
  }
  std::string context;
  std::set<PciAddress> named;
  for (const PciAddress& address : devices) {
    P2PD_ASSIGN_OR_RETURN(DeviceEntry* const device, RequireDevice(address));
    const std::string name = absl::StrCat("devices/", address.ToString());
    if (!named.insert(address).second) {
      return refuse(name, absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument, "it is named twice", "");
    }
    if (device->view.driver != session.view.id) {
      return refuse(name, absl::StatusCode::kFailedPrecondition, Reason::kNotOwner, "this session does not drive it",
                    "only a device's driver can give it an address space: OpenDevice first");
    }
    if (device->operation.has_value() || device->vfio == nullptr) {
      return refuse(name, absl::StatusCode::kUnavailable, Reason::kDeviceNotReady,
                    absl::StrCat("it is ", Name(device->view.state)), "try again when the operation on it is over");
    }
    P2PD_RETURN_IF_ERROR(CheckContext(*device, "CreateAddressSpace"));
    if (!context.empty() && context != device->view.context) {
      return refuse(name, absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument,
                    "it is of another context than the first", "make an address space for each context");
    }
    context = device->view.context;
    for (const auto& [id, space] : tables.spaces) {
      const auto& attached = space.view.devices;
      if (std::find(attached.begin(), attached.end(), address) == attached.end()) continue;
      return refuse(name, absl::StatusCode::kAlreadyExists, Reason::kOverlap,
                    absl::StrCat("it is attached to address-spaces/", id.value(), " already"),
                    "use that one, or delete it first");
    }
  }
  P2PD_ASSIGN_OR_RETURN(Quota::Charge charge, quota.Take(HolderOf(session), Resource::kAddressSpaces));
  const AddressSpaceId id(tables.NextId());
  AddressSpaceEntry space;
  space.view = {.id = id, .session = session.view.id, .context = context, .devices = devices};
  space.charge = std::move(charge);
  P2PD_RETURN_IF_ERROR(journal.Grant(RowOf(space)));
  tables.spaces[id] = std::move(space);
  lock.Post(tables.contexts.at(context).strand, [self = shared_from_this(), id, finish = std::move(finish)]() mutable {
    self->FinishCreateSpace(id, std::move(finish));
  });
  return absl::OkStatus();
}

void Core::FinishCreateSpace(AddressSpaceId id, Done<AddressSpaceView> finish) {
  std::shared_ptr<IommuContext> iommu;
  std::vector<std::shared_ptr<VfioDevice>> devices;
  {
    CoreLock lock(mutex);
    if (const auto space = tables.spaces.find(id); space != tables.spaces.end()) {
      iommu = tables.contexts.at(space->second.view.context).iommu;
      for (const PciAddress& address : space->second.view.devices) devices.push_back(tables.devices.at(address).vfio);
    }
  }
  const auto make = [&]() -> absl::StatusOr<std::shared_ptr<AddressSpace>> {
    if (iommu == nullptr) return SessionEnded();
    for (const auto& device : devices) {
      if (device == nullptr) return absl::UnavailableError("a device was taken away meanwhile");
    }
    P2PD_ASSIGN_OR_RETURN(std::shared_ptr<AddressSpace> ioas, AddressSpace::Create(iommu));
    NoteIoas(id, ioas->id());
    for (const auto& device : devices) {
      if (const absl::Status attached = device->Attach(*ioas); !attached.ok()) {
        for (const auto& other : devices) other->Detach().IgnoreError();
        ioas->Destroy().IgnoreError();
        return attached;
      }
    }
    return ioas;
  };
  absl::StatusOr<std::shared_ptr<AddressSpace>> ioas = make();
  absl::StatusOr<IovaLayout> layout = ioas.ok() ? (*ioas)->Layout() : absl::StatusOr<IovaLayout>(ioas.status());
  if (ioas.ok() && !layout.ok()) {
    for (const auto& device : devices) device->Detach().IgnoreError();
    (*ioas)->Destroy().IgnoreError();
  }
  devices.clear();
  absl::StatusOr<AddressSpaceView> outcome;
  {
    CoreLock lock(mutex);
    const auto entry = tables.spaces.find(id);
    if (layout.ok() && entry != tables.spaces.end()) {
      AddressSpaceEntry& space = entry->second;
      space.ioas = *ioas;
      space.iovas = IovaAllocator(Subtract(layout->usable, bus_windows), std::max(layout->alignment, kPageSize));
      space.view.usable = space.iovas.usable();
      space.view.alignment = space.iovas.alignment();
      outcome = space.view;
      tables.Publish(EventType::kCreated, space.view, space.view.session);
    } else {
      outcome = layout.ok() ? SessionEnded() : layout.status();
      if (entry != tables.spaces.end()) tables.spaces.erase(entry);
      journal.Forget(id);
    }
  }
  finish(std::move(outcome));
}

// From now on a successor can destroy it.
void Core::NoteIoas(AddressSpaceId id, IoasId ioas) {
  CoreLock lock(mutex);
  const auto space = tables.spaces.find(id);
  if (space == tables.spaces.end()) return;
  JournalSpace row = RowOf(space->second);
  row.ioas = ioas;
  journal.Note(row);
}

void Broker::DeleteAddressSpace(SessionId session, const std::string& request_id, AddressSpaceId id,
                                Done<OperationView> done) {
  const auto body = [&](CoreLock& lock, SessionEntry&, Done<OperationView>& finish) -> absl::Status {
    core_->mutex.AssertHeld();
    P2PD_ASSIGN_OR_RETURN(AddressSpaceEntry* const space, core_->RequireSpace(session, id));
    RevokeOrder order = {
        .reason = "its address space was deleted", .spaces = {id}, .exempt = session, .done = std::move(finish)};
    order.mappings.assign(space->mappings.begin(), space->mappings.end());
    core_->Revoke(lock, std::move(order));
    return absl::OkStatus();
  };
  core_->Once<OperationView>(session, request_id, absl::StrCat("DeleteAddressSpace ", id.value()), std::move(done),
                             body);
}

}  // namespace p2pd
