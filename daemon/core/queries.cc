// Looking and watching, and what a session may see.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "daemon/base/errors.h"
#include "daemon/core/core.h"

namespace p2pd {
namespace {

absl::Status NoSuch(const std::string& object) {
  return MakeError(absl::StatusCode::kNotFound, {.reason = Reason::kNotFound, .step = "look up", .object = object},
                   "no such object, or not visible to this session");
}

// An entry of a table as it is shown, and whose it is.
SessionView Show(const SessionEntry& entry) { return entry.view; }
SessionId OwnerOf(const SessionEntry& entry) { return entry.view.id; }
ExportView Show(const ExportEntry& entry) {
  ExportView view = entry.view;
  view.mappings = entry.mappings.size();
  return view;
}
SessionId OwnerOf(const ExportEntry& entry) { return entry.view.session; }
AddressSpaceView Show(const AddressSpaceEntry& entry) { return entry.view; }
SessionId OwnerOf(const AddressSpaceEntry& entry) { return entry.view.session; }
MappingView Show(const std::unique_ptr<MappingEntry>& entry) { return entry->view; }
SessionId OwnerOf(const std::unique_ptr<MappingEntry>& entry) { return entry->view.session; }

// What `viewer` may see of a table; everything is visible to an observer.
template <typename Table>
auto Visible(const Table& table, SessionId viewer, bool observer, const Page& page = {}) {
  std::vector<decltype(Show(table.begin()->second))> views;
  using Id = typename Table::key_type;
  for (auto entry = table.upper_bound(Id(page.after)); entry != table.end() && views.size() < page.limit; ++entry) {
    if (observer || OwnerOf(entry->second) == viewer) views.push_back(Show(entry->second));
  }
  return views;
}

template <typename Table, typename Id>
auto VisibleOne(const Table& table, Id id, SessionId viewer, bool observer, const char* kind)
    -> absl::StatusOr<decltype(Show(table.begin()->second))> {
  const auto entry = table.find(id);
  if (entry != table.end() && (observer || OwnerOf(entry->second) == viewer)) return Show(entry->second);
  return NoSuch(absl::StrCat(kind, "/", id.value()));
}

}  // namespace

Core::Core(BrokerOptions broker_options, Kernel& the_kernel, Scheduler& the_scheduler, StateJournal& the_journal,
           std::shared_ptr<const Policy> the_policy)
    : options(std::move(broker_options)),
      kernel(the_kernel),
      scheduler(the_scheduler),
      started(absl::Now()),
      quota(options.quota),
      journal(the_journal),
      policy(std::move(the_policy)) {}

Broker::Broker(BrokerOptions options, Kernel& kernel, Scheduler& scheduler, StateJournal& journal,
               std::shared_ptr<const Policy> policy)
    : core_(std::make_shared<Core>(std::move(options), kernel, scheduler, journal, std::move(policy))) {}

// Calls that still wait hold core, which holds them. Dropped, they answer by themselves.
Broker::~Broker() {
  CoreLock lock(core_->mutex);
  for (auto& [id, operation] : core_->tables.operations) {
    lock.After([done = std::exchange(operation.order.done, nullptr)] {});
  }
}

// ---- Looking ---------------------------------------------------------------------------------------------

StatusView Broker::GetStatus(std::optional<SessionId> viewer) const {
  CoreLock lock(core_->mutex);
  Tables& tables = core_->tables;
  StatusView view = {.started = core_->started,
                     .devices = tables.devices.size(),
                     .sessions = tables.sessions.size(),
                     .exports = tables.exports.size(),
                     .address_spaces = tables.spaces.size(),
                     .mappings = tables.mappings.size(),
                     .mapped_bytes = tables.mapped_bytes,
                     .policy_rules = core_->policy->rule_count(),
                     .policy_generation = core_->policy_generation,
                     .capabilities = core_->capabilities};
  view.dma_buf_export = std::any_of(tables.devices.begin(), tables.devices.end(), [](const auto& entry) {
    return entry.second.vfio != nullptr && entry.second.vfio->can_export();
  });
  const SessionEntry* session = viewer.has_value() ? tables.FindSession(*viewer) : nullptr;
  if (session != nullptr) view.usage = core_->UsageOf(*session);
  return view;
}

std::vector<UsageView> Core::UsageOf(const SessionEntry& session) {
  const bool observer = MayObserve(session.view.id);
  std::vector<UsageView> usage;
  for (int i = 0; i < kNumResources; ++i) {
    const auto resource = static_cast<Resource>(i);
    const ResourceLimit& limit = quota.limits()[resource];
    usage.push_back({.resource = std::string(Name(resource)),
                     .used = quota.Used(session.view.peer.subject.uid, resource),
                     .per_user = limit.per_user,
                     .total = limit.total});
    if (observer) usage.back().used_in_total = quota.UsedInTotal(resource);
  }
  return usage;
}

std::vector<DeviceView> Broker::ListDevices() const {
  CoreLock lock(core_->mutex);
  std::vector<DeviceView> views;
  for (const auto& [address, device] : core_->tables.devices) views.push_back(device.view);
  return views;
}

absl::StatusOr<DeviceView> Broker::GetDevice(PciAddress address) const {
  CoreLock lock(core_->mutex);
  P2PD_ASSIGN_OR_RETURN(const DeviceEntry* device, core_->RequireDevice(address));
  return device->view;
}

absl::StatusOr<TopologyView> Broker::GetTopology(const TopologyQuery& query) const {
  std::shared_ptr<const Topology> topology;
  std::set<PciAddress> managed;
  {
    CoreLock lock(core_->mutex);
    for (const auto& only : {query.exporter, query.importer}) {
      if (only.has_value()) P2PD_RETURN_IF_ERROR(core_->RequireDevice(*only).status());
    }
    topology = core_->topology;
    for (const auto& [address, device] : core_->tables.devices) managed.insert(address);
  }
  return ViewOf(*topology, managed, query);  // takes its time with many devices: not under the lock
}

std::vector<SessionView> Broker::ListSessions(SessionId viewer, const Page& page) const {
  CoreLock lock(core_->mutex);
  return Visible(core_->tables.sessions, viewer, core_->MayObserve(viewer), page);
}

std::vector<ExportView> Broker::ListExports(SessionId viewer, const Page& page) const {
  CoreLock lock(core_->mutex);
  return Visible(core_->tables.exports, viewer, core_->MayObserve(viewer), page);
}

std::vector<AddressSpaceView> Broker::ListAddressSpaces(SessionId viewer, const Page& page) const {
  CoreLock lock(core_->mutex);
  return Visible(core_->tables.spaces, viewer, core_->MayObserve(viewer), page);
}

std::vector<MappingView> Broker::ListMappings(SessionId viewer, const Page& page) const {
  CoreLock lock(core_->mutex);
  return Visible(core_->tables.mappings, viewer, core_->MayObserve(viewer), page);
}

std::vector<OperationView> Broker::ListOperations(SessionId, const Page& page) const {
  CoreLock lock(core_->mutex);
  std::vector<OperationView> views;
  const auto& operations = core_->tables.operations;
  for (auto entry = operations.upper_bound(OperationId(page.after));
       entry != operations.end() && views.size() < page.limit; ++entry) {
    if (entry->second.order.recorded) views.push_back(Brief(entry->second.view));
  }
  return views;
}

absl::StatusOr<SessionView> Broker::GetSession(SessionId viewer, SessionId id) const {
  CoreLock lock(core_->mutex);
  return VisibleOne(core_->tables.sessions, id, viewer, core_->MayObserve(viewer), "sessions");
}

absl::StatusOr<ExportView> Broker::GetExport(SessionId viewer, ExportId id) const {
  CoreLock lock(core_->mutex);
  return VisibleOne(core_->tables.exports, id, viewer, core_->MayObserve(viewer), "exports");
}

absl::StatusOr<AddressSpaceView> Broker::GetAddressSpace(SessionId viewer, AddressSpaceId id) const {
  CoreLock lock(core_->mutex);
  return VisibleOne(core_->tables.spaces, id, viewer, core_->MayObserve(viewer), "address-spaces");
}

absl::StatusOr<MappingView> Broker::GetMapping(SessionId viewer, MappingId id) const {
  CoreLock lock(core_->mutex);
  return VisibleOne(core_->tables.mappings, id, viewer, core_->MayObserve(viewer), "mappings");
}

absl::StatusOr<OperationView> Broker::GetOperation(SessionId, OperationId id) const {
  CoreLock lock(core_->mutex);
  const auto entry = core_->tables.operations.find(id);
  if (entry != core_->tables.operations.end() && entry->second.order.recorded) return entry->second.view;
  return NoSuch(absl::StrCat("operations/", id.value()));
}

// ---- Watching --------------------------------------------------------------------------------------------

absl::Status Broker::Watch(SessionId viewer, std::weak_ptr<Watcher> weak) {
  CoreLock lock(core_->mutex);
  const SessionEntry* session = core_->tables.FindSession(viewer);
  if (session == nullptr || session->ended) return SessionEnded();
  core_->tables.ForgetGoneWatchers();
  P2PD_ASSIGN_OR_RETURN(Quota::Charge charge, core_->quota.Take(HolderOf(*session), Resource::kWatchers));
  core_->BeginWatch({.viewer = viewer,
                     .observer = core_->MayObserve(viewer),
                     .watcher = std::move(weak),
                     .charge = std::move(charge)});
  return absl::OkStatus();
}

void Broker::WatchAll(std::weak_ptr<Watcher> weak) {
  CoreLock lock(core_->mutex);
  core_->BeginWatch({.observer = true, .watcher = std::move(weak)});
}

void Core::BeginWatch(Tables::WatchEntry entry) {
  const auto watcher = entry.watcher.lock();
  if (watcher == nullptr) return;
  const SessionId viewer = entry.viewer;
  const bool observer = entry.observer;
  // All under one lock: what is not in the snapshot comes as a change.
  const auto show = [&](Tables::Object object, EventType type = EventType::kSnapshot) {
    mutex.AssertHeld();
    watcher->OnEvent(std::make_shared<const Event>(
        Event{.type = type, .sequence = tables.last_sequence, .time = absl::Now(), .object = std::move(object)}));
  };
  for (const auto& [id, device] : tables.devices) show(device.view);
  for (const auto& view : Visible(tables.sessions, viewer, observer)) show(view);
  // What is not announced yet comes as a change, if it comes.
  for (const auto& [id, source] : tables.exports) {
    if (source.announced && (observer || OwnerOf(source) == viewer)) show(Show(source));
  }
  for (const auto& view : Visible(tables.spaces, viewer, observer)) show(view);
  for (const auto& [id, mapping] : tables.mappings) {
    if (mapping->announced && (observer || OwnerOf(mapping) == viewer)) show(Show(mapping));
  }
  for (const auto& [id, operation] : tables.operations) {
    if (operation.order.recorded) show(Brief(operation.view));
  }
  show(std::monostate(), EventType::kInSync);
  tables.watchers.push_back(std::move(entry));
}

}  // namespace p2pd
