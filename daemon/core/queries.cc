// Looking and watching, and what a session may see; judging what it may do.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "daemon/base/errors.h"
#include "daemon/core/core.h"

namespace p2pd {
namespace {

DeviceFacts FactsOf(const DeviceEntry& device) {
  return {.address = device.view.address,
          .vendor = device.view.vendor,
          .device = device.view.device,
          .class_code = device.view.class_code};
}

absl::Status NoSuch(const std::string& object) {
  return MakeError(absl::StatusCode::kNotFound, {.reason = Reason::kNotFound, .step = "look up", .object = object},
                   "no such object, or not visible to this session");
}

// The views of all entries of a table that `viewer` may see; everything is visible to an observer.
template <typename View, typename Table>
std::vector<View> Visible(const Table& table, SessionId viewer, bool observer) {
  std::vector<View> views;
  for (const auto& [id, entry] : table) {
    if (observer || entry.view.session == viewer) views.push_back(entry.view);
  }
  return views;
}

template <typename View, typename Table, typename Id>
absl::StatusOr<View> VisibleOne(const Table& table, Id id, SessionId viewer, bool observer, const char* kind) {
  const auto entry = table.find(id);
  if (entry != table.end() && (observer || entry->second.view.session == viewer)) return entry->second.view;
  return NoSuch(absl::StrCat(kind, "/", id.value()));
}

}  // namespace

Core::Core(BrokerOptions broker_options, Kernel& the_kernel, Scheduler& the_scheduler, Journal& the_journal,
           std::shared_ptr<const Policy> the_policy)
    : options(std::move(broker_options)),
      kernel(the_kernel),
      scheduler(the_scheduler),
      journal(the_journal),
      policy(std::move(the_policy)),
      started(absl::Now()),
      quota(options.quota) {}

Broker::Broker(BrokerOptions options, Kernel& kernel, Scheduler& scheduler, Journal& journal,
               std::shared_ptr<const Policy> policy)
    : core_(std::make_shared<Core>(std::move(options), kernel, scheduler, journal, std::move(policy))) {}

Broker::~Broker() = default;

// ---- Judging ---------------------------------------------------------------------------------------------

Verdict Core::Judge(const SessionEntry& session, Action action, const DeviceEntry* exporter,
                    const DeviceEntry* importer, const ExportView* window) const {
  PolicyRequest request = {.subject = session.view.peer.subject, .action = action};
  if (exporter != nullptr) request.exporter = FactsOf(*exporter);
  if (importer != nullptr) request.importer = FactsOf(*importer);
  if (window != nullptr) {
    request.window = WindowFacts{.bar = window->window.bar,
                                 .offset = window->window.range.start,
                                 .length = window->window.range.length,
                                 .control = window->control};
  }
  return policy->Judge(request);
}

absl::StatusOr<Verdict> Core::Permit(const SessionEntry& session, Action action, const std::string& object,
                                     const DeviceEntry* exporter, const DeviceEntry* importer,
                                     const ExportView* window) const {
  Verdict verdict = Judge(session, action, exporter, importer, window);
  if (verdict.allowed) return verdict;
  std::string target = object;
  if (importer != nullptr) absl::StrAppend(&target, " for devices/", importer->view.address.ToString());
  return MakeError(absl::StatusCode::kPermissionDenied,
                   {.reason = Reason::kPolicy,
                    .step = std::string(ActionName(action)),
                    .object = target,
                    .hint = "the administrator's policy decides"},
                   absl::StrCat("denied to uid ", session.view.peer.subject.uid, ": ", verdict.reason));
}

bool Core::MayObserve(SessionId viewer) {
  const SessionEntry* session = tables.FindSession(viewer);
  return session != nullptr && Judge(*session, Action::kObserve, nullptr).allowed;
}

// ---- Looking ---------------------------------------------------------------------------------------------

StatusView Broker::GetStatus() const {
  CoreLock lock(core_->mutex);
  Tables& tables = core_->tables;
  return {.started = core_->started,
          .devices = tables.devices.size(),
          .sessions = tables.sessions.size(),
          .exports = tables.exports.size(),
          .address_spaces = tables.spaces.size(),
          .mappings = tables.mappings.size(),
          .mapped_bytes = tables.mapped_bytes,
          .policy_rules = core_->policy->rule_count(),
          .dma_buf_export = std::any_of(tables.devices.begin(), tables.devices.end(), [](const auto& entry) {
            return entry.second.vfio != nullptr && entry.second.vfio->can_export();
          })};
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

std::vector<SessionView> Broker::ListSessions(SessionId viewer) const {
  CoreLock lock(core_->mutex);
  std::vector<SessionView> views;
  for (const auto& [id, session] : core_->tables.sessions) {
    if (id == viewer || core_->MayObserve(viewer)) views.push_back(session.view);
  }
  return views;
}

std::vector<ExportView> Broker::ListExports(SessionId viewer) const {
  CoreLock lock(core_->mutex);
  return Visible<ExportView>(core_->tables.exports, viewer, core_->MayObserve(viewer));
}

std::vector<AddressSpaceView> Broker::ListAddressSpaces(SessionId viewer) const {
  CoreLock lock(core_->mutex);
  return Visible<AddressSpaceView>(core_->tables.spaces, viewer, core_->MayObserve(viewer));
}

std::vector<MappingView> Broker::ListMappings(SessionId viewer) const {
  CoreLock lock(core_->mutex);
  const bool observer = core_->MayObserve(viewer);
  std::vector<MappingView> views;
  for (const auto& [id, mapping] : core_->tables.mappings) {
    if (observer || mapping->view.session == viewer) views.push_back(mapping->view);
  }
  std::sort(views.begin(), views.end(), [](const MappingView& a, const MappingView& b) { return a.id < b.id; });
  return views;
}

std::vector<OperationView> Broker::ListOperations(SessionId) const {
  CoreLock lock(core_->mutex);
  std::vector<OperationView> views;
  for (const auto& [id, operation] : core_->tables.operations) {
    if (operation.order.recorded) views.push_back(operation.view);
  }
  return views;
}

absl::StatusOr<ExportView> Broker::GetExport(SessionId viewer, ExportId id) const {
  CoreLock lock(core_->mutex);
  return VisibleOne<ExportView>(core_->tables.exports, id, viewer, core_->MayObserve(viewer), "exports");
}

absl::StatusOr<AddressSpaceView> Broker::GetAddressSpace(SessionId viewer, AddressSpaceId id) const {
  CoreLock lock(core_->mutex);
  return VisibleOne<AddressSpaceView>(core_->tables.spaces, id, viewer, core_->MayObserve(viewer), "address-spaces");
}

absl::StatusOr<MappingView> Broker::GetMapping(SessionId viewer, MappingId id) const {
  CoreLock lock(core_->mutex);
  const MappingEntry* mapping = core_->tables.FindMapping(id);
  if (mapping != nullptr && (mapping->view.session == viewer || core_->MayObserve(viewer))) return mapping->view;
  return NoSuch(absl::StrCat("mappings/", id.value()));
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
  Tables& tables = core_->tables;
  const SessionEntry* session = tables.FindSession(viewer);
  const auto watcher = weak.lock();
  if (session == nullptr || session->ended || watcher == nullptr) return SessionEnded();
  const bool observer = core_->MayObserve(viewer);
  // All under one lock: what is not in the snapshot comes as a change.
  const auto show = [&](Tables::Object object, EventType type = EventType::kSnapshot) {
    core_->mutex.AssertHeld();
    watcher->OnEvent(std::make_shared<const Event>(
        Event{.type = type, .sequence = tables.last_sequence, .time = absl::Now(), .object = std::move(object)}));
  };
  for (const auto& [id, entry] : tables.devices) show(entry.view);
  for (const auto& [id, entry] : tables.sessions) {
    if (observer || id == viewer) show(entry.view);
  }
  for (const auto& view : Visible<ExportView>(tables.exports, viewer, observer)) show(view);
  for (const auto& view : Visible<AddressSpaceView>(tables.spaces, viewer, observer)) show(view);
  for (const auto& [id, entry] : tables.mappings) {
    if (observer || entry->view.session == viewer) show(entry->view);
  }
  for (const auto& [id, entry] : tables.operations) {
    if (entry.order.recorded) show(entry.view);
  }
  show(std::monostate(), EventType::kInSync);
  tables.watchers.push_back({.viewer = viewer, .observer = observer, .watcher = std::move(weak)});
  return absl::OkStatus();
}

}  // namespace p2pd
