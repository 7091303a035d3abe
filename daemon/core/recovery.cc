#include "daemon/core/recovery.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "daemon/base/errors.h"
#include "daemon/core/rows.h"

namespace p2pd {
namespace {

absl::Status Unfit(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("what was left does not fit together: ", what));
}

JournalState StateOf(Core& core) {
  CoreLock lock(core.mutex);
  return core.journal.state();
}

}  // namespace

Recovery::Recovery(Core& core) : core_(core), state_(StateOf(core)) {
  if (core.options.store == nullptr) return;
  for (StoredFd& stored : core.options.store->TakeAll()) {
    if (stored.name != kJournalFdName) fds_[stored.name] = std::move(stored.fd);
  }
}

UniqueFd Recovery::TakeFd(const std::string& name) {
  const auto entry = fds_.find(name);
  if (name.empty() || entry == fds_.end()) return UniqueFd();
  UniqueFd fd = std::move(entry->second);
  fds_.erase(entry);
  return fd;
}

// ---- Contexts and devices --------------------------------------------------------------------------------

absl::Status Recovery::Check() {
  if (!core_.options.distrust.empty()) return absl::DataLossError(core_.options.distrust);
  P2PD_RETURN_IF_ERROR(state_.Check());
  for (const auto& [name, row] : state_.contexts) {
    if (!row.fd_name.empty() && !fds_.contains(row.fd_name)) return Unfit(absl::StrCat(row.fd_name, " is missing"));
  }
  for (const auto& [address, row] : state_.devices) P2PD_RETURN_IF_ERROR(CheckDevice(row));
  return absl::OkStatus();
}

absl::Status Recovery::CheckDevice(const JournalDevice& row) {
  if (row.fd_name.empty()) return absl::OkStatus();
  if (!fds_.contains(row.fd_name)) return Unfit(absl::StrCat(row.fd_name, " is missing"));
  const auto context = state_.contexts.find(row.context);
  if (context == state_.contexts.end() || context->second.fd_name.empty()) {
    return Unfit(absl::StrCat(row.fd_name, " is without its context"));
  }
  const DeviceEntry* device = core_.tables.FindDevice(row.address);
  if (device == nullptr || device->view.context != row.context) {
    return Unfit(absl::StrCat(DeviceName(row.address), " is managed otherwise now"));
  }
  return absl::OkStatus();
}

absl::Status Recovery::AdoptDevices() {
  {
    CoreLock lock(core_.mutex);
    P2PD_RETURN_IF_ERROR(Check());
    core_.tables.UseIdsAfter(state_.last_id);
    for (const auto& [name, row] : state_.contexts) {
      const auto context = core_.tables.contexts.find(name);
      if (row.fd_name.empty() || context == core_.tables.contexts.end()) continue;
      P2PD_ASSIGN_OR_RETURN(UniqueFd fd, Duplicate(fds_.at(row.fd_name)));
      context->second.iommu = std::make_shared<IommuContext>(core_.kernel, std::move(fd));
      context->second.fd_name = row.fd_name;
    }
  }
  for (const auto& [address, row] : state_.devices) P2PD_RETURN_IF_ERROR(AdoptDevice(row));
  // They are core's from here on; until here, TakeDown would need them.
  for (const auto& [name, row] : state_.contexts) TakeFd(row.fd_name);
  for (const auto& [address, row] : state_.devices) TakeFd(row.fd_name);
  RemoveStrays();
  return absl::OkStatus();
}

absl::Status Recovery::AdoptDevice(const JournalDevice& row) {
  SysfsDevice sysfs;
  std::shared_ptr<IommuContext> context;
  {
    CoreLock lock(core_.mutex);
    DeviceEntry* device = core_.tables.FindDevice(row.address);
    if (device == nullptr) return absl::OkStatus();
    device->view.generation = row.generation;
    device->scrubbed = row.scrubbed;
    device->holds_data = row.holds_data;
    if (row.fd_name.empty()) {
      // One that was not told of it yet has nothing to lose: it asks again.
      if (row.driver.has_value() && row.granted) core_.cut_off.emplace_back(row.address, *row.driver);
      if (row.state == DeviceState::kTainted) device->view.state = row.state;
      return absl::OkStatus();
    }
    sysfs = device->sysfs;
    context = core_.tables.ContextOf(*device).iommu;
  }
  P2PD_ASSIGN_OR_RETURN(UniqueFd fd, Duplicate(fds_.at(row.fd_name)));
  P2PD_ASSIGN_OR_RETURN(std::shared_ptr<VfioDevice> vfio,
                        VfioDevice::Adopt(core_.kernel, sysfs, std::move(fd), std::move(context)));
  // The one that its predecessor had set only that knew.
  P2PD_ASSIGN_OR_RETURN(const std::optional<VfToken> token, core_.VfTokenFor(row.address));
  if (token.has_value() && sysfs.has_sriov) P2PD_RETURN_IF_ERROR(vfio->SetVfToken(*token));
  std::vector<std::unique_ptr<SignalWaiter::Watch>> signals;
  P2PD_RETURN_IF_ERROR(core_.WaitForSignals(row.address, *vfio, signals));
  CoreLock lock(core_.mutex);
  DeviceEntry& device = core_.tables.devices.at(row.address);
  device.vfio = std::move(vfio);
  device.signals = std::move(signals);
  device.fd_name = row.fd_name;
  device.view.state = row.state;
  device.view.state_reason = row.state_reason;
  device.view.driver = row.driver;
  device.answered = row.granted;
  device.granted = core_.MomentOf(row.since);
  device.promised = row.driver.has_value() && !row.granted;
  device.resume = row.resume;
  core_.Describe(device);
  return absl::OkStatus();
}

// ---- What rests on them ----------------------------------------------------------------------------------

void Recovery::AdoptGrants() {
  for (const auto& [id, row] : state_.sessions) AdoptSession(row);
  for (const auto& [key, row] : state_.memories) AdoptMemory(row);
  for (const auto& [id, row] : state_.spaces) AdoptSpace(row);
  for (const auto& [id, row] : state_.exports) AdoptExport(row);
  for (const auto& [id, row] : state_.offers) AdoptOffer(row);
  for (const auto& [id, row] : state_.mappings) AdoptMapping(row);
  for (const auto& [id, row] : state_.operations) AdoptOperation(row);
  CoreLock lock(core_.mutex);
  for (const auto& [session, known] : state_.outcomes) {
    SessionEntry* entry = core_.tables.FindSession(session);
    for (const JournalOutcome& outcome : known.entries) {
      if (entry != nullptr) entry->requests.Recover(outcome);
    }
  }
}

void Recovery::AdoptSession(const JournalSession& row) {
  CoreLock lock(core_.mutex);
  SessionEntry& session = core_.tables.sessions[row.id];
  session.view = {.id = row.id, .peer = row.peer, .connected = row.connected};
  session.token = row.token;
  session.ended = row.ended;
  session.fd_name = row.fd_name;
  if (auto charge = core_.quota.Take({.uid = row.peer.subject.uid}, Resource::kSessions); charge.ok()) {
    session.charge = *std::move(charge);
  }
  if (!row.ended) core_.tables.tokens[row.token] = row.id;
  UniqueFd lifeline = TakeFd(row.fd_name);
  if (!row.ended && lifeline.valid()) {
    core_.recovered.push_back({.id = row.id, .peer = row.peer, .lifeline = std::move(lifeline)});
  }
}

void Recovery::AdoptMemory(const JournalMemory& row) {
  UniqueFd file = TakeFd(row.fd_name);
  const absl::StatusOr<MemoryInfo> info =
      file.valid() ? core_.kernel.InspectMemory(file) : absl::StatusOr<MemoryInfo>(absl::NotFoundError("not kept"));
  CoreLock lock(core_.mutex);
  SessionEntry& session = core_.tables.sessions.at(row.session);
  if (!info.ok()) return core_.journal.Forget(JournalMemoryKey{.session = row.session, .name = row.name});
  MemoryEntry& memory = session.memory[row.name];
  memory = {.file = std::make_shared<const UniqueFd>(std::move(file)), .info = *info, .fd_name = row.fd_name};
  if (auto charge = core_.quota.Take(HolderOf(session), Resource::kMemories); charge.ok()) {
    memory.charge = *std::move(charge);
  }
}

void Recovery::AdoptSpace(const JournalSpace& row) {
  std::shared_ptr<AddressSpace> ioas;
  {
    CoreLock lock(core_.mutex);
    const auto context = core_.tables.contexts.find(row.context);
    const bool there = context != core_.tables.contexts.end() && context->second.iommu != nullptr;
    if (there && row.ioas != IoasId()) ioas = std::make_shared<AddressSpace>(context->second.iommu, row.ioas);
  }
  const absl::StatusOr<IovaLayout> layout =
      ioas != nullptr ? ioas->Layout() : absl::StatusOr<IovaLayout>(absl::NotFoundError("it was not made"));
  CoreLock lock(core_.mutex);
  if (!layout.ok()) {
    // It was destroyed, with all that was in it, and only that could not be written any more; or it never was.
    for (const auto& [id, mapping] : state_.mappings) {
      if (mapping.space == row.id) core_.journal.Forget(id);
    }
    return core_.journal.Forget(row.id);
  }
  AddressSpaceEntry& space = core_.tables.spaces[row.id];
  space.view = {.id = row.id, .session = row.session, .context = row.context, .devices = row.devices};
  space.ioas = std::move(ioas);
  space.iovas = IovaAllocator(Subtract(layout->usable, core_.bus_windows), std::max(layout->alignment, kPageSize));
  space.view.usable = space.iovas.usable();
  space.view.alignment = space.iovas.alignment();
  space.answered = row.phase == JournalSpace::Phase::kMade;
  if (const SessionEntry* session = core_.tables.FindSession(row.session)) {
    auto charge = core_.quota.Take(HolderOf(*session), Resource::kAddressSpaces);
    if (charge.ok()) space.charge = *std::move(charge);
  }
}

void Recovery::AdoptExport(const JournalExport& row) {
  ExportEntry entry;
  entry.view = {.id = row.id,
                .session = row.session,
                .window = row.window,
                .control = row.control,
                .grade = row.grade,
                .generation = row.generation,
                .rule = row.rule,
                .state = row.state};
  entry.making = false;
  entry.announced = true;
  entry.answered = !row.closing;
  entry.granted = core_.MomentOf(row.granted);
  entry.fd_name = row.fd_name;
  if (UniqueFd fd = TakeFd(row.fd_name); fd.valid()) {
    entry.dma_buf = std::make_shared<const DmaBuf>(DmaBuf{.fd = std::move(fd), .bar_offset = row.window.range.start});
  } else if (row.grade != Grade::kRaw) {
    std::shared_ptr<VfioDevice> vfio;
    {
      CoreLock lock(core_.mutex);
      vfio = core_.tables.devices.at(row.window.device).vfio;
    }
    const auto made = vfio != nullptr ? vfio->DmaBufFor(row.window.bar, row.window.range)
                                      : absl::StatusOr<std::shared_ptr<const DmaBuf>>(absl::UnavailableError(""));
    if (made.ok()) entry.dma_buf = *made;
  }
  if (entry.dma_buf == nullptr) {
    // What of a RAW export is out there, nobody can ask any more: it lingers until its device is bound afresh.
    entry.answered = false;
    entry.watched = row.grade == Grade::kRaw;
    if (entry.watched) entry.view.state = ExportState::kLingering;
  }
  CoreLock lock(core_.mutex);
  if (const SessionEntry* session = core_.tables.FindSession(row.session)) {
    auto charge = core_.quota.Take(HolderOf(*session), Resource::kExports);
    if (charge.ok()) entry.charge = *std::move(charge);
  }
  ExportEntry& there = core_.tables.exports[row.id] = std::move(entry);
  if (!row.expires.has_value()) return;
  core_.SetExpiry(there, std::max(*row.expires - absl::Now(), absl::Milliseconds(1)));
  there.wanted_until = row.expires;
}

void Recovery::AdoptOffer(const JournalOffer& row) {
  CoreLock lock(core_.mutex);
  const DeviceEntry* device = core_.tables.FindDevice(row.window.device);
  // It ended with its driver.
  if (device == nullptr || device->view.driver != row.session) return core_.journal.Forget(row.id);
  OfferView& view = core_.tables.offers[row.id].view;
  view = {.id = row.id,
          .session = row.session,
          .window = row.window,
          .terms = {.uid = row.uid, .gid = row.gid, .unit = row.unit, .session = row.to, .access = row.access},
          .expires = row.expires};
  if (!row.expires.has_value()) return;
  view.terms.time_to_live = std::max(*row.expires - absl::Now(), absl::Milliseconds(1));
  core_.WatchOffer(view);
}

void Recovery::AdoptMapping(const JournalMapping& row) {
  using Phase = JournalMapping::Phase;
  CoreLock lock(core_.mutex);
  const auto space = core_.tables.spaces.find(row.space);
  if (space == core_.tables.spaces.end()) return;
  auto mapping = std::make_unique<MappingEntry>();
  mapping->view = {.id = row.id,
                   .session = row.session,
                   .address_space = row.space,
                   .source = row.source,
                   .offset = row.offset,
                   .iova = row.iova,
                   .access = row.access,
                   .state = row.state,
                   .state_reason = row.state_reason};
  mapping->asked = row.asked;
  mapping->live = row.phase != Phase::kUnmapped;
  mapping->uncertain = row.phase == Phase::kMapping || row.phase == Phase::kUnmapping;
  mapping->phase = row.phase;
  mapping->announced = true;
  mapping->answered = row.answered;
  mapping->granted = core_.MomentOf(row.granted);
  if (!row.ending.empty()) mapping->ending = row.ending;
  mapping->memory_name = row.memory;
  mapping->file_offset = row.offset;
  if (row.source.has_value()) {
    ExportEntry& source = core_.tables.exports.at(*row.source);
    source.mappings.insert(row.id);
    const Window& window = source.view.window;
    mapping->exporter = window.device;
    mapping->dma_buf = source.dma_buf;
    if (source.dma_buf != nullptr) mapping->file_offset += window.range.start - source.dma_buf->bar_offset;
  }
  if (const SessionEntry* session = core_.tables.FindSession(row.session)) {
    const Resource bytes = row.source.has_value() ? Resource::kMappedBytes : Resource::kMemoryBytes;
    auto charge = core_.quota.Take(HolderOf(*session), Resource::kMappings);
    auto bytes_charge = core_.quota.Take(HolderOf(*session), bytes, row.iova.length);
    if (charge.ok()) mapping->charge = *std::move(charge);
    if (bytes_charge.ok()) mapping->bytes_charge = *std::move(bytes_charge);
  }
  // What the machine's windows are may have changed: what is there already, is there.
  space->second.iovas.Reserve(row.iova.length, {.iova = row.iova.start}, 0).IgnoreError();
  space->second.mappings.insert(row.id);
  core_.tables.mapped_bytes += row.iova.length;
  core_.tables.mappings[row.id] = std::move(mapping);
}

void Recovery::AdoptOperation(const JournalOperation& row) {
  CoreLock lock(core_.mutex);
  Tables& tables = core_.tables;
  OperationEntry& operation = tables.operations[row.id];
  operation.order = {.kind = row.kind,
                     .reason = row.reason,
                     .mappings = row.mappings,
                     .devices = row.devices,
                     .exports = row.exports,
                     .spaces = row.spaces,
                     .scope = row.scope,
                     .restore = row.restore,
                     .leave = row.leave,
                     .exempt = row.exempt,
                     .ending = row.ending,
                     .recorded = row.recorded,
                     .request = row.request};
  if (row.deadline != absl::InfiniteDuration()) operation.order.deadline = row.deadline;
  operation.began = operation.phase_began = core_.scheduler.Now();
  operation.view = {.id = row.id,
                    .kind = row.kind,
                    .state = row.over ? OperationState::kSucceeded : OperationState::kRunning,
                    .devices = row.devices,
                    .generation = row.generation,
                    .started = absl::Now()};
  if (!row.devices.empty()) operation.view.device = row.devices.front();
  for (const MappingId id : row.mappings) {
    MappingEntry* mapping = tables.FindMapping(id);
    if (mapping == nullptr) continue;
    mapping->operation = row.id;
    if (row.over) continue;
    mapping->uncertain = mapping->live;  // it may be unmapped already
    if (!row.restore) mapping->ending = row.reason;
  }
  if (row.over) {
    for (const auto& party : row.parties) {
      operation.view.parties.push_back({.session = party.session, .answer = party.answer});
    }
    return;
  }
  std::erase_if(operation.order.exports, [&](ExportId id) {
    core_.mutex.AssertHeld();
    return !tables.exports.contains(id);
  });
  std::erase_if(operation.order.spaces, [&](AddressSpaceId id) {
    core_.mutex.AssertHeld();
    return !tables.spaces.contains(id);
  });
  for (const ExportId id : operation.order.exports) tables.exports.at(id).closing = true;
  for (const AddressSpaceId id : operation.order.spaces) tables.spaces.at(id).closing = true;
  for (const PciAddress& address : row.devices) {
    if (DeviceEntry* device = tables.FindDevice(address)) device->operation = row.id;
  }
  SessionEntry* asking = row.request.has_value() ? tables.FindSession(row.request->session) : nullptr;
  if (asking != nullptr) asking->requests.CarryOn(*row.request);
}

void Recovery::RemoveStrays() {
  std::set<std::string> named;
  for (const auto& [id, row] : state_.sessions) named.insert(row.fd_name);
  for (const auto& [key, row] : state_.memories) named.insert(row.fd_name);
  for (const auto& [id, row] : state_.exports) named.insert(row.fd_name);
  for (auto stray = fds_.begin(); stray != fds_.end();) {
    if (named.contains(stray->first)) {
      ++stray;
      continue;
    }
    core_.options.store->Remove(stray->first).IgnoreError();
    stray = fds_.erase(stray);  // a device resets with that, and can be bound again
  }
}

}  // namespace p2pd
