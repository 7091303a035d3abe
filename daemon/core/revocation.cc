// The one way in which rights end, whatever ends them: release, hang-up, a driver's end, a reset.
//
//   ask whoever uses it to stop -> UNMAP everywhere -> (destroy address spaces; flush, reset, bind) ->
//   restore at the same IOVA, or forget
//
// A mapping is live until UNMAP has returned success, and whatever fails on the way is in the receipt.
#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "daemon/base/errors.h"
#include "daemon/core/core.h"
#include "daemon/core/keeping.h"
#include "daemon/core/rows.h"
#include "daemon/core/standing.h"

namespace p2pd {
namespace {

constexpr size_t kReceiptsKept = 256;
constexpr size_t kFewMappings = 4;  // so many are unmapped on the thread that asks

}  // namespace

struct Core::Unmapping {
  MappingId mapping;
  std::shared_ptr<AddressSpace> ioas;  // none: the kernel does not have it
  Range iova;
  absl::Status status;
};

OperationId Core::Revoke(CoreLock& lock, RevokeOrder order) {
  const OperationId id(tables.NextId());
  journal.Begin();
  OperationEntry& operation = tables.operations[id];
  operation.order = std::move(order);
  if (operation.order.done != nullptr && !operation.order.request.has_value()) operation.order.request = asking;
  operation.began = operation.phase_began = scheduler.Now();
  operation.view = {.id = id, .kind = operation.order.kind, .started = absl::Now()};
  for (const PciAddress& address : operation.order.devices) {
    DeviceEntry& device = tables.devices.at(address);
    device.operation = id;
    NextGeneration(device);
    Advance(device, DeviceEvent::kQuiesceBegan, operation.order.reason);
  }
  if (!operation.order.devices.empty()) {
    operation.view.devices = operation.order.devices;
    operation.view.device = operation.order.devices.front();
    operation.view.generation = tables.devices.at(*operation.view.device).view.generation;
  } else if (operation.order.exports.size() == 1) {
    const Window& window = tables.exports.at(operation.order.exports.front()).view.window;
    operation.view.device = window.device;
    operation.view.generation = tables.devices.at(window.device).view.generation;
  }
  for (MappingId mapping : operation.order.mappings) {
    MappingEntry* entry = tables.FindMapping(mapping);
    if (entry == nullptr) continue;
    entry->operation = id;
    if (operation.order.recorded) entry->view.operation = id;
    if (operation.order.restore) continue;
    const auto own = operation.order.reasons.find(mapping);
    entry->ending = own == operation.order.reasons.end() ? operation.order.reason : own->second;
  }
  for (ExportId source : operation.order.exports) {
    ExportEntry& entry = tables.exports.at(source);
    entry.closing = true;
    if (operation.order.recorded) entry.view.operation = id;
    journal.Note(RowOf(entry));
  }
  for (AddressSpaceId space : operation.order.spaces) tables.spaces.at(space).closing = true;
  journal.Note(RowOf(operation));
  journal.End();
  Announce(operation, EventType::kCreated);
  AskToStop(lock, operation);
  return id;
}

// ---- Unmapping -------------------------------------------------------------------------------------------

void Core::BeginUnmap(CoreLock& lock, OperationEntry& operation) {
  operation.quiescing = false;
  for (OperationParty& party : operation.view.parties) {
    if (party.answer != Answer::kWaiting) continue;
    party.answer = Answer::kForced;
    party.after = scheduler.Now() - operation.began;
  }
  operation.waiting.clear();
  if (!operation.view.parties.empty()) AddStep(operation, "quiesce", operation.phase_began, absl::OkStatus());
  for (const PciAddress& address : operation.order.devices) {
    Advance(tables.devices.at(address), DeviceEvent::kQuiesceEnded);
  }
  operation.phase_began = operation.last_unmap = scheduler.Now();
  RunGroups(lock, operation, operation.order.mappings, &Core::UnmapGroup, &Core::EndUnmap);
}

void Core::RunGroups(CoreLock& lock, OperationEntry& operation, const std::vector<MappingId>& mappings, GroupTask task,
                     Phase next) {
  const OperationId id = operation.view.id;
  std::map<AddressSpaceId, std::vector<MappingId>> groups;
  for (MappingId mapping : mappings) {
    if (const MappingEntry* entry = tables.FindMapping(mapping)) {
      groups[entry->view.address_space].push_back(mapping);
    }
  }
  operation.outstanding = static_cast<int>(groups.size());
  if (groups.empty()) return (this->*next)(lock, operation);
  for (auto& [space, group] : groups) {
    const bool few = group.size() <= kFewMappings;
    Task work = [self = shared_from_this(), id, task, next, group = std::move(group)] {
      (self.get()->*task)(id, group);
      self->TaskDone(id, next);
    };
    const auto& strand = tables.spaces.at(space).strand;
    few ? lock.Post(strand, std::move(work)) : PostElsewhere(lock, strand, std::move(work));
  }
}

void Core::TaskDone(OperationId id, Phase next) {
  CoreLock lock(mutex);
  OperationEntry& operation = tables.operations.at(id);
  if (--operation.outstanding == 0) (this->*next)(lock, operation);
}

// First the kernel, then the books: what UNMAP came to is written down, and told, once all of the group are unmapped.
// Until then the journal has them in an operation that is not over, and a successor unmaps them again.
void Core::UnmapGroup(OperationId id, const std::vector<MappingId>& mappings) {
  std::vector<Unmapping> work;
  work.reserve(mappings.size());
  PrepareUnmap(mappings, work);
  for (Unmapping& one : work) {
    for (int i = 0; one.ioas != nullptr && i < kKernelAttempts; ++i) {
      one.status = one.ioas->Unmap(one.iova);
      if (!IsTransient(one.status)) break;
    }
  }
  const absl::Duration unmapped = scheduler.Now();
  for (size_t i = 0; i < work.size(); i += kMappingsAHold) {
    CoreLock lock(mutex);
    OperationEntry& operation = tables.operations.at(id);
    operation.last_unmap = std::max(operation.last_unmap, unmapped);
    journal.Begin();
    for (const Unmapping& one : absl::MakeSpan(work).subspan(i, kMappingsAHold)) NoteUnmapped(operation, one);
    journal.End();
  }
}

void Core::PrepareUnmap(const std::vector<MappingId>& mappings, std::vector<Unmapping>& work) {
  CoreLock lock(mutex);
  for (const MappingId mapping : mappings) {
    const MappingEntry* entry = tables.FindMapping(mapping);
    if (entry == nullptr) continue;
    Unmapping& one = work.emplace_back(Unmapping{.mapping = mapping});
    if (!entry->live) continue;
    one.ioas = tables.spaces.at(entry->view.address_space).ioas;
    one.iova = entry->view.iova;
  }
}

void Core::NoteUnmapped(OperationEntry& operation, const Unmapping& done) {
  MappingEntry* entry = tables.FindMapping(done.mapping);
  if (entry == nullptr) return;
  const absl::Status status = entry->uncertain && absl::IsNotFound(done.status) ? absl::OkStatus() : done.status;
  if (!status.ok()) {
    entry->phase = JournalMapping::Phase::kUnmapping;
    entry->view.state_reason = std::string(status.message());
    Note(*entry);
    if (operation.view.error.empty()) operation.view.error = entry->view.state_reason;
    tables.Changed(*entry);
    AddOutcome(operation, *entry);
    return;
  }
  entry->live = entry->uncertain = false;
  entry->phase = JournalMapping::Phase::kUnmapped;
  if (!operation.order.restore || entry->ending.has_value()) {
    Drop(*entry, entry->ending.value_or(operation.order.reason));
  } else if (const auto next = Next(entry->view.state, MappingEvent::kUnmappedForReset)) {
    entry->view.state = *next;
    entry->view.state_reason = operation.order.reason;
    Note(*entry);
    tables.Changed(*entry);
  }
}

void Core::Drop(MappingEntry& mapping, const std::string& reason) {
  const MappingId id = mapping.view.id;
  journal.Forget(id);  // before the export that may go with it
  if (const auto next = Next(mapping.view.state, MappingEvent::kRevoked)) mapping.view.state = *next;
  mapping.view.state_reason = reason;
  if (mapping.operation.has_value()) {
    const auto operation = tables.operations.find(*mapping.operation);
    if (operation != tables.operations.end()) AddOutcome(operation->second, mapping);
  }
  if (mapping.announced) tables.Publish(EventType::kDeleted, mapping.view, mapping.view.session);
  tables.mapped_bytes -= mapping.view.iova.length;
  if (const auto space = tables.spaces.find(mapping.view.address_space); space != tables.spaces.end()) {
    space->second.iovas.Release(mapping.view.iova);
    space->second.mappings.erase(id);
  }
  if (mapping.view.source.has_value()) {
    const auto source = tables.exports.find(*mapping.view.source);
    if (source != tables.exports.end()) {
      source->second.mappings.erase(id);
      if (source->second.closing && source->second.mappings.empty()) End(source->second);
    }
  }
  // The last reference to a memfd frees its pages: not here.
  if (mapping.memory != nullptr) scheduler.Run([memory = std::move(mapping.memory)] {});
  if (mapping.dma_buf != nullptr) Release(std::move(mapping.dma_buf), *mapping.exporter);
  tables.mappings.erase(id);
}

void Core::DropExport(ExportEntry& entry) {
  if (entry.announced) tables.Publish(EventType::kDeleted, entry.view, entry.view.session);
  if (entry.dma_buf != nullptr) Release(std::move(entry.dma_buf), entry.view.window.device);
  RemoveLater(*this, {entry.fd_name});
  journal.Forget(entry.view.id);
  tables.exports.erase(entry.view.id);
}

// ---- Address spaces and devices --------------------------------------------------------------------------

void Core::EndUnmap(CoreLock& lock, OperationEntry& operation) {
  if (!operation.order.mappings.empty()) {
    AddStep(operation, absl::StrCat("unmap ", operation.order.mappings.size()), operation.phase_began,
            operation.view.error.empty() ? absl::OkStatus() : absl::InternalError(operation.view.error),
            operation.last_unmap);
  }
  for (ExportId id : operation.order.exports) {
    // While one of its mappings could not be removed, the window stays taken.
    const auto entry = tables.exports.find(id);
    if (entry != tables.exports.end() && entry->second.mappings.empty()) End(entry->second);
  }
  if (sleeping && operation.order.kind == OperationKind::kSleep) return Park(lock, operation);
  if (operation.order.trouble == Trouble::kError && AwaitRecovery(operation)) return;
  BeginContexts(lock, operation);
}

void Core::BeginContexts(CoreLock& lock, OperationEntry& operation) {
  std::set<std::string> contexts;
  for (AddressSpaceId id : operation.order.spaces) {
    if (const auto space = tables.spaces.find(id); space != tables.spaces.end()) {
      contexts.insert(space->second.view.context);
    }
  }
  for (const PciAddress& address : operation.order.devices) {
    contexts.insert(tables.devices.at(address).view.context);
    // One call resets them all.
    if (operation.order.restore && operation.order.kind == OperationKind::kReset) break;
  }
  operation.outstanding = static_cast<int>(contexts.size());
  operation.phase_began = scheduler.Now();
  if (contexts.empty()) return BeginRestore(lock, operation);
  for (const std::string& context : contexts) {
    PostElsewhere(lock, tables.contexts.at(context).strand,
                  [self = shared_from_this(), id = operation.view.id, context] {
                    self->WorkOnContext(id, context);
                    self->TaskDone(id, &Core::BeginRestore);
                  });
  }
}

void Core::PostElsewhere(CoreLock& lock, const std::shared_ptr<Strand>& strand, Task task) {
  strand->Post(std::move(task));
  lock.After([self = shared_from_this(), strand] { self->scheduler.Run([strand] { strand->RunPosted(); }); });
}

void Core::Release(std::shared_ptr<const DmaBuf> dma_buf, const PciAddress& device) {
  // Others refer to it too, as a rule: then there is nothing to wait for.
  if (dma_buf.use_count() > 1) return;
  const auto strand = tables.ContextOf(tables.devices.at(device)).strand;
  strand->Post([dma_buf = std::move(dma_buf)] {});
  scheduler.Run([strand] { strand->RunPosted(); });
}

void Core::ForgetOldReceipts() {
  for (auto entry = tables.operations.begin();
       entry != tables.operations.end() && tables.operations.size() > kReceiptsKept;) {
    const OperationEntry& operation = entry->second;
    const bool keep = operation.view.state == OperationState::kRunning || IsAwaited(*this, operation);
    entry = keep ? std::next(entry) : tables.operations.erase(entry);
  }
}

// ---- The end ---------------------------------------------------------------------------------------------

void Core::Finish(CoreLock& lock, OperationEntry& operation) {
  const OperationId id = operation.view.id;
  journal.Begin();
  if (operation.order.restore) AddStep(operation, "restore", operation.phase_began, absl::OkStatus());
  std::vector<PciAddress> pending;
  for (const PciAddress& address : operation.order.devices) {
    DeviceEntry& device = tables.devices.at(address);
    device.operation.reset();
    if (device.view.state == DeviceState::kRestoring) {
      Advance(device,
              device.view.driver.has_value() ? DeviceEvent::kRestoredWithDriver : DeviceEvent::kRestoredWithout);
    }
    if (operation.order.restore) device.resume = id;
    if (device.view.state == DeviceState::kAwaitingDriver) WatchReady(device);
    if (device.view.state == DeviceState::kReady) SendResume(lock, device);
    pending.push_back(address);
  }
  operation.view.took = scheduler.Now() - operation.began;
  operation.view.state = operation.view.error.empty() ? OperationState::kSucceeded : OperationState::kFailed;
  // Acks that came after BeginRestore had looked for them, and before now, when Ack() itself acts on them.
  for (SessionId session : operation.late) RestoreLate(lock, operation, session);
  Announce(operation, EventType::kChanged);
  if (operation.order.done != nullptr) {
    lock.After([done = std::exchange(operation.order.done, nullptr), view = operation.view]() mutable { done(view); });
  }
  if (const auto ending = operation.order.ending; ending.has_value() && tables.sessions.contains(*ending)) {
    tables.Publish(EventType::kDeleted, tables.sessions.at(*ending).view, *ending);
    RemoveLater(*this, {tables.sessions.at(*ending).fd_name});
    tables.sessions.erase(*ending);
    journal.Forget(*ending);
  }
  // Whoever asked for it is answered next, and its end written with that.
  if (!operation.order.request.has_value()) journal.Note(Settled(*this, id));
  journal.End();
  if (!operation.order.recorded) tables.operations.erase(id);
  ForgetOldReceipts();
  ForgetSettled(*this);
  for (const PciAddress& address : pending) BeginPending(lock, tables.devices.at(address));
  if (sleeping) GoToSleep(lock);
  CheckIdle(lock);
}

}  // namespace p2pd
