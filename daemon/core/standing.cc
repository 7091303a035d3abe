#include "daemon/core/standing.h"

#include <algorithm>
#include <utility>

#include "daemon/core/rows.h"

namespace p2pd {

void Core::Note(const DeviceEntry& device) { journal.Note(RowOf(device)); }

void Core::Note(const MappingEntry& mapping) {
  if (journal.Knows(mapping.view.id)) journal.Note(StepOf(mapping));
}

void Stand(Core& core, const DeviceView& view, JournalEntries& rows) {
  DeviceEntry* device = core.tables.FindDevice(view.address);
  // An answer that does not name the driver (CloseDevice's) grants nothing.
  if (device == nullptr || device->answered || !view.driver.has_value() || device->view.driver != view.driver) return;
  device->answered = true;
  device->promised = false;
  rows.push_back(RowOf(*device));
}

void Stand(Core& core, const ExportView& view, JournalEntries& rows) {
  const auto entry = core.tables.exports.find(view.id);
  if (entry == core.tables.exports.end() || std::exchange(entry->second.answered, true)) return;
  rows.push_back(RowOf(entry->second));
}

void Stand(Core& core, const AddressSpaceView& view, JournalEntries& rows) {
  const auto entry = core.tables.spaces.find(view.id);
  if (entry == core.tables.spaces.end() || std::exchange(entry->second.answered, true)) return;
  rows.push_back(RowOf(entry->second));
}

void Stand(Core& core, const MappingView& view, JournalEntries& rows) {
  MappingEntry* mapping = core.tables.FindMapping(view.id);
  if (mapping == nullptr || std::exchange(mapping->answered, true)) return;
  rows.push_back(StepOf(*mapping));
}

void Stand(Core& core, const std::vector<MappingView>& views, JournalEntries& rows) {
  for (const MappingView& view : views) Stand(core, view, rows);
}

void Stand(Core& core, const OfferView& view, JournalEntries& rows) {
  const auto entry = core.tables.offers.find(view.id);
  if (entry != core.tables.offers.end()) rows.push_back(RowOf(entry->second));
}

void Stand(Core& core, const WithdrawalView& view, JournalEntries& rows) {
  if (core.journal.Knows(view.offer)) rows.push_back(JournalRemoval{.key = view.offer});
}

void Stand(Core& core, const AcquiredView& view, JournalEntries& rows) {
  Stand(core, view.source, rows);
  Stand(core, view.mappings, rows);
}

void WriteAnswer(Core& core, const JournalRequest& request, JournalOutcome outcome, JournalEntries rows) {
  for (const auto& [id, row] : core.journal.state().operations) {
    if (row.request == request) rows.push_back(Settled(core, id));
  }
  if (!core.journal.Knows(request.session)) {
    if (!rows.empty()) core.journal.Note(rows);
    return;
  }
  outcome.session = request.session;
  outcome.request_id = request.id;
  outcome.fingerprint = request.fingerprint;
  rows.push_back(std::move(outcome));
  if (core.journal.Note(rows)) return;
  // Without room for the answer a repeat may run anew after a restart; what stands must be written all the same.
  rows.pop_back();
  if (!rows.empty()) core.journal.Note(rows);
}

bool IsAwaited(Core& core, const OperationEntry& operation) {
  const OperationId id = operation.view.id;
  // Somebody who was cut off may still ack, and then wants its mappings back.
  const bool suspended =
      std::any_of(operation.order.mappings.begin(), operation.order.mappings.end(), [&](MappingId mapping) {
        core.mutex.AssertHeld();
        const MappingEntry* waiting = core.tables.FindMapping(mapping);
        return waiting != nullptr && waiting->operation == id && waiting->view.state == MappingState::kSuspended;
      });
  return suspended || operation.untold != 0 ||
         std::any_of(operation.order.devices.begin(), operation.order.devices.end(), [&](const PciAddress& address) {
           core.mutex.AssertHeld();
           return core.tables.devices.at(address).resume == id;
         });
}

JournalEntry Settled(Core& core, OperationId id) {
  const auto operation = core.tables.operations.find(id);
  if (operation == core.tables.operations.end() || !IsAwaited(core, operation->second))
    return JournalRemoval{.key = id};
  JournalOperation row = RowOf(operation->second);
  row.request.reset();
  return row;
}

void ForgetSettled(Core& core) {
  JournalEntries gone;
  for (const auto& [id, row] : core.journal.state().operations) {
    const auto operation = core.tables.operations.find(id);
    if (!row.over || (operation != core.tables.operations.end() && IsAwaited(core, operation->second))) continue;
    gone.push_back(JournalRemoval{.key = id});
  }
  if (!gone.empty()) core.journal.Note(gone);
}

}  // namespace p2pd
