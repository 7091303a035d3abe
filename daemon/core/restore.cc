// Putting mappings back after a reset, at the IOVAs that they had; and back late, for a session that was cut
// off and has stopped since.
#include <algorithm>
#include <atomic>
#include <map>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/core/core.h"
#include "daemon/core/standing.h"

namespace p2pd {
namespace {

// The kernel maps the memory of a function that is not on the bus any more as if it were.
absl::Status CheckThere(const DeviceEntry& exporter) {
  const DeviceView& view = exporter.view;
  if (view.state != DeviceState::kFaulted && view.state != DeviceState::kGone) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat(DeviceName(view.address), " is ", Name(view.state), ": ", view.state_reason));
}

}  // namespace

struct Core::Restoring {
  MappingId mapping;
  std::shared_ptr<AddressSpace> ioas;
  std::shared_ptr<const DmaBuf> dma_buf;
  Range iova;
  Access access = Access::kRead;
  uint64_t file_offset = 0;
  bool dead_area = false;
  bool uncertain = false;
  absl::Status status;
};

void Core::BeginRestore(CoreLock& lock, OperationEntry& operation) {
  operation.phase_began = scheduler.Now();
  std::vector<MappingId> back;
  for (MappingId mapping : operation.order.restore ? operation.order.mappings : std::vector<MappingId>()) {
    const MappingEntry* entry = tables.FindMapping(mapping);
    if (entry == nullptr) continue;
    const auto party = std::find_if(operation.view.parties.begin(), operation.view.parties.end(),
                                    [&](const OperationParty& p) { return p.session == entry->view.session; });
    // Nobody vouches that a session which was cut off has stopped: its mappings wait for its ack.
    const bool cut_off = party != operation.view.parties.end() && party->answer == Answer::kForced &&
                         !operation.late.contains(entry->view.session);
    if (cut_off) {
      AddOutcome(operation, *entry);
    } else {
      back.push_back(mapping);
    }
  }
  RunGroups(lock, operation, back, &Core::RestoreGroup, &Core::Finish);
}

void Core::RestoreGroup(OperationId id, const std::vector<MappingId>& mappings) {
  for (size_t i = 0; i < mappings.size(); i += kMappingsAHold) {
    RestoreSome(id, absl::MakeSpan(mappings).subspan(i, kMappingsAHold));
  }
}

void Core::RestoreSome(OperationId id, absl::Span<const MappingId> mappings) {
  std::vector<Restoring> work;
  work.reserve(mappings.size());
  {
    CoreLock lock(mutex);
    journal.Begin();
    for (const MappingId mapping : mappings) PrepareRestore(mapping, work);
    journal.End();
  }
  for (Restoring& one : work) CarryOutRestore(one);
  CoreLock lock(mutex);
  journal.Begin();
  for (const Restoring& one : work) NoteRestored(id, one);
  journal.End();
}

void Core::PrepareRestore(MappingId mapping, std::vector<Restoring>& work) {
  MappingEntry* entry = tables.FindMapping(mapping);
  if (entry == nullptr || entry->ending.has_value() || entry->view.state == MappingState::kLost) return;
  const SessionEntry* owner = tables.FindSession(entry->view.session);
  if (owner == nullptr || owner->ended) return;  // its end takes the mapping
  work.push_back(
      {.mapping = mapping,
       .ioas = tables.spaces.at(entry->view.address_space).ioas,
       .dma_buf = entry->dma_buf,
       .iova = entry->view.iova,
       .access = entry->asked,
       .file_offset = entry->file_offset,
       .dead_area = entry->live,  // UNMAP had failed
       .uncertain = entry->uncertain,
       .status = entry->exporter.has_value() ? CheckThere(tables.devices.at(*entry->exporter)) : absl::OkStatus()});
  entry->live = true;
  entry->phase = JournalMapping::Phase::kMapping;
  Note(*entry);
}

void Core::CarryOutRestore(Restoring& one) {
  if (one.dma_buf == nullptr) one.status.Update(absl::UnavailableError("its window could not be exported anew"));
  if (one.dead_area) {
    const absl::Status unmapped = one.ioas->Unmap(one.iova);
    one.dead_area = !unmapped.ok() && !(one.uncertain && absl::IsNotFound(unmapped));
    if (one.dead_area) one.status = unmapped;
  }
  for (int i = 0; one.status.ok() && i < kKernelAttempts; ++i) {
    const absl::Status mapped = one.ioas->Map(one.dma_buf->fd, one.file_offset, one.iova, one.access);
    if (mapped.ok()) break;
    if (!IsTransient(mapped) || i + 1 == kKernelAttempts) one.status = mapped;
  }
}

void Core::NoteRestored(OperationId id, const Restoring& done) {
  MappingEntry* entry = tables.FindMapping(done.mapping);
  if (entry == nullptr) return;
  entry->uncertain = false;
  using Phase = JournalMapping::Phase;
  entry->phase = done.status.ok() ? Phase::kMapped : done.dead_area ? Phase::kUnmapping : Phase::kUnmapped;
  if (done.status.ok()) {
    entry->view.state = MappingState::kActive;
    entry->view.state_reason.clear();
  } else {
    // A dead area that could not be removed is still there: its IOVA stays taken.
    entry->live = done.dead_area;
    entry->view.state = Next(entry->view.state, MappingEvent::kRestoreFailed).value_or(MappingState::kLost);
    entry->view.state_reason = std::string(done.status.message());
  }
  Note(*entry);
  tables.Changed(*entry);
  if (const auto operation = tables.operations.find(id); operation != tables.operations.end()) {
    AddOutcome(operation->second, *entry);
  }
}

size_t Core::RestoreLate(CoreLock& lock, OperationEntry& operation, SessionId session) {
  const OperationId id = operation.view.id;
  std::map<AddressSpaceId, std::vector<MappingId>> groups;
  for (MappingId mapping : operation.order.mappings) {
    const MappingEntry* entry = tables.FindMapping(mapping);
    // A later operation on the device asks again, and restores then.
    if (entry == nullptr || entry->view.session != session || entry->operation != id ||
        entry->view.state != MappingState::kSuspended) {
      continue;
    }
    groups[entry->view.address_space].push_back(mapping);
  }
  const size_t count = groups.size();
  const auto left = std::make_shared<std::atomic<size_t>>(count);
  for (auto& [space, group] : groups) {
    lock.Post(tables.spaces.at(space).strand, [self = shared_from_this(), id, session, left, group = std::move(group)] {
      self->RestoreGroup(id, group);
      if (--*left == 0) self->ResumeLate(id, session);
    });
  }
  return count;
}

void Core::ResumeLate(OperationId id, SessionId session) {
  CoreLock lock(mutex);
  const auto operation = tables.operations.find(id);
  if (operation == tables.operations.end()) return;
  for (const PciAddress& address : operation->second.order.devices) {
    const DeviceEntry* device = tables.FindDevice(address);
    // While its driver is awaited, everybody is told at once, when it is READY.
    if (device != nullptr && device->view.state == DeviceState::kReady) {
      SendResumeTo(lock, session, operation->second, *device);
    }
  }
  ForgetSettled(*this);  // where there was nobody to tell
}

}  // namespace p2pd
