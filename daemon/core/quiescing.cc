// Asking those who use what is to be taken to stop, each for as long as its rules give it, and cutting off whoever does
// not. The first phase of every operation: see revocation.cc.
#include <algorithm>
#include <map>
#include <utility>

#include "daemon/core/core.h"
#include "daemon/core/standing.h"

namespace p2pd {
namespace {

// Null: client memory, or its export is gone.
const Grounds* GroundsOfSource(const MappingEntry& mapping, const Tables& tables) {
  if (!mapping.view.source.has_value()) return nullptr;
  const auto source = tables.exports.find(*mapping.view.source);
  return source == tables.exports.end() ? nullptr : &source->second.grounds;
}

}  // namespace

void Core::AskToStop(CoreLock& lock, OperationEntry& operation) {
  const OperationId id = operation.view.id;
  std::map<SessionId, std::vector<MappingId>> users;
  for (MappingId mapping : operation.order.mappings) {
    if (const MappingEntry* entry = tables.FindMapping(mapping)) users[entry->view.session].push_back(mapping);
  }
  for (const PciAddress& address : operation.order.devices) {
    const auto driver = tables.devices.at(address).view.driver;
    if ((operation.order.restore || operation.order.leave) && driver.has_value()) users[*driver];
    // Whoever holds a dma-buf of it may have mapped it where p2pd does not see.
    for (const auto& [export_id, entry] : tables.exports) {
      if (entry.view.grade == Grade::kRaw && entry.view.window.device == address) users[entry.view.session];
    }
  }
  for (const ExportId source : operation.order.exports) {
    const ExportView& view = tables.exports.at(source).view;
    if (view.grade == Grade::kRaw && view.state == ExportState::kActive) users[view.session];
  }
  std::map<SessionId, absl::Duration> patience;
  for (const auto& [session, mappings] : users) {
    const SessionEntry* user = tables.FindSession(session);
    if (user == nullptr || user->ended || session == operation.order.exempt) continue;
    operation.waiting.insert(session);
    patience[session] = PatienceFor(operation, mappings);
    operation.view.parties.push_back({.session = session});
    const QuiesceNotice notice = {.operation = id,
                                  .device = operation.view.device.value_or(PciAddress()),
                                  .devices = operation.view.devices,
                                  .generation = operation.view.generation,
                                  .mappings = mappings,
                                  .deadline = scheduler.Now() + patience[session]};
    lock.After([channel = user->channel, notice] { channel->RequestQuiesce(notice); });
  }
  if (!operation.order.restore && !operation.order.leave) CutOffDriver(lock, operation);
  const bool nobody_waits = std::all_of(patience.begin(), patience.end(),
                                        [](const auto& user) { return user.second == absl::ZeroDuration(); });
  if (nobody_waits) return BeginUnmap(lock, operation);
  operation.quiescing = true;
  for (const auto& [session, time] : patience) {
    scheduler.RunAfter(time, [self = shared_from_this(), id, session = session] {
      CoreLock late(self->mutex);
      const auto entry = self->tables.operations.find(id);
      if (entry != self->tables.operations.end() && entry->second.quiescing) {
        self->CutOff(late, entry->second, session);
      }
    });
  }
}

absl::Duration Core::PatienceFor(const OperationEntry& operation, const std::vector<MappingId>& mappings) const {
  std::optional<absl::Duration> shortest;
  for (MappingId mapping : mappings) {
    const MappingEntry& entry = *tables.mappings.at(mapping);
    const Grounds* const source = GroundsOfSource(entry, tables);
    std::optional<absl::Duration> limit = entry.grounds.limits.quiesce_deadline;
    if (source != nullptr) TakeLess(limit, source->limits.quiesce_deadline);
    const absl::Duration its = limit.value_or(options.quiesce_deadline);
    shortest = std::min(shortest.value_or(its), its);
  }
  const absl::Duration patience = shortest.value_or(options.quiesce_deadline);
  return std::min(patience, operation.order.deadline.value_or(patience));
}

// Others may have longer: what this one has is unmapped now, and once more, in vain, with theirs.
void Core::CutOff(CoreLock& lock, OperationEntry& operation, SessionId session) {
  if (operation.waiting.erase(session) == 0) return;
  const auto party = std::find_if(operation.view.parties.begin(), operation.view.parties.end(),
                                  [&](const OperationParty& p) { return p.session == session; });
  party->answer = Answer::kForced;
  party->after = scheduler.Now() - operation.began;
  if (operation.waiting.empty()) return BeginUnmap(lock, operation);
  std::map<AddressSpaceId, std::vector<MappingId>> groups;
  for (MappingId mapping : operation.order.mappings) {
    const MappingEntry* entry = tables.FindMapping(mapping);
    if (entry != nullptr && entry->view.session == session) groups[entry->view.address_space].push_back(mapping);
  }
  for (auto& [space, group] : groups) {
    PostElsewhere(
        lock, tables.spaces.at(space).strand,
        [self = shared_from_this(), id = operation.view.id, group = std::move(group)] { self->UnmapGroup(id, group); });
  }
}

void Core::CutOffDriver(CoreLock& lock, OperationEntry& operation) {
  // Whoever drove the device is not asked: its DMA ends now, while the others still have their time.
  const OperationId id = operation.view.id;
  for (const PciAddress& address : operation.order.devices) {
    PostElsewhere(lock, tables.ContextOf(tables.devices.at(address)).strand, [self = shared_from_this(), id, address] {
      std::shared_ptr<VfioDevice> vfio;
      {
        CoreLock look(self->mutex);
        vfio = self->tables.devices.at(address).vfio;
      }
      if (vfio == nullptr) return;
      self->RunStep(id, "bus master off", [&] { return vfio->config().SetBusMaster(false); }).IgnoreError();
    });
  }
}

void Core::Ack(CoreLock& lock, SessionId session, OperationId id, Answer answer) {
  const auto entry = tables.operations.find(id);
  if (entry == tables.operations.end()) return;
  OperationEntry& operation = entry->second;
  const auto party = std::find_if(operation.view.parties.begin(), operation.view.parties.end(),
                                  [&](const OperationParty& p) { return p.session == session; });
  if (party == operation.view.parties.end()) return;
  if (operation.waiting.erase(session) != 0) {
    party->answer = answer;
    party->after = scheduler.Now() - operation.began;
    if (operation.waiting.empty()) BeginUnmap(lock, operation);
    return;
  }
  // It was cut off, and has stopped now: what it had can come back.
  if (answer != Answer::kAcked || party->answer != Answer::kForced || !operation.late.insert(session).second) return;
  if (operation.view.state == OperationState::kRunning) return;
  journal.Note(Settled(*this, id));
  if (RestoreLate(lock, operation, session) != 0) return;
  // It has no mapping to come back, but waits to be told all the same.
  lock.After([self = shared_from_this(), id, session] { self->ResumeLate(id, session); });
}

}  // namespace p2pd
