// What is written down, so that it stands after this process. One rule: what a request made stands from the moment
// on in which its answer is written, in one append with it. So a successor takes back what nobody was told of, keeps
// what somebody was, and answers whoever asks again as it was answered.
#include <algorithm>
#include <utility>

#include "daemon/core/core.h"
#include "daemon/core/rows.h"

namespace p2pd {

void Core::Note(const DeviceEntry& device) { journal.Note(RowOf(device)); }

void Core::Note(const MappingEntry& mapping) {
  if (journal.Knows(mapping.view.id)) journal.Note(StepOf(mapping));
}

void Core::Stand(const DeviceView& view, JournalEntries& rows) {
  DeviceEntry* device = tables.FindDevice(view.address);
  // An answer that does not name the driver (CloseDevice's) grants nothing.
  if (device == nullptr || device->answered || !view.driver.has_value() || device->view.driver != view.driver) return;
  device->answered = true;
  device->promised = false;
  rows.push_back(RowOf(*device));
}

void Core::Stand(const ExportView& view, JournalEntries& rows) {
  const auto entry = tables.exports.find(view.id);
  if (entry == tables.exports.end() || std::exchange(entry->second.answered, true)) return;
  rows.push_back(RowOf(entry->second));
}

void Core::Stand(const AddressSpaceView& view, JournalEntries& rows) {
  const auto entry = tables.spaces.find(view.id);
  if (entry == tables.spaces.end() || std::exchange(entry->second.answered, true)) return;
  rows.push_back(RowOf(entry->second));
}

void Core::Stand(const MappingView& view, JournalEntries& rows) {
  MappingEntry* mapping = tables.FindMapping(view.id);
  if (mapping == nullptr || std::exchange(mapping->answered, true)) return;
  rows.push_back(StepOf(*mapping));
}

void Core::Stand(const std::vector<MappingView>& views, JournalEntries& rows) {
  for (const MappingView& view : views) Stand(view, rows);
}

void Core::Stand(const OfferView& view, JournalEntries& rows) {
  const auto entry = tables.offers.find(view.id);
  if (entry != tables.offers.end()) rows.push_back(RowOf(entry->second));
}

void Core::Stand(const WithdrawalView& view, JournalEntries& rows) {
  if (journal.Knows(view.offer)) rows.push_back(JournalRemoval{.key = view.offer});
}

void Core::Stand(const AcquiredView& view, JournalEntries& rows) {
  Stand(view.source, rows);
  Stand(view.mappings, rows);
}

void Core::WriteAnswer(const JournalRequest& request, JournalOutcome outcome, JournalEntries rows) {
  for (const auto& [id, row] : journal.state().operations) {
    if (row.request == request) rows.push_back(Settled(id));
  }
  if (!journal.Knows(request.session)) {
    if (!rows.empty()) journal.Note(rows);
    return;
  }
  outcome.session = request.session;
  outcome.request_id = request.id;
  outcome.fingerprint = request.fingerprint;
  rows.push_back(std::move(outcome));
  if (journal.Note(rows)) return;
  // Without room for the answer a repeat may run anew after a restart; what stands must be written all the same.
  rows.pop_back();
  if (!rows.empty()) journal.Note(rows);
}

bool Core::IsAwaited(const OperationEntry& operation) {
  const OperationId id = operation.view.id;
  // Somebody who was cut off may still ack, and then wants its mappings back.
  const bool suspended =
      std::any_of(operation.order.mappings.begin(), operation.order.mappings.end(), [&](MappingId mapping) {
        mutex.AssertHeld();
        const MappingEntry* waiting = tables.FindMapping(mapping);
        return waiting != nullptr && waiting->operation == id && waiting->view.state == MappingState::kSuspended;
      });
  return suspended || operation.untold != 0 ||
         std::any_of(operation.order.devices.begin(), operation.order.devices.end(), [&](const PciAddress& address) {
           mutex.AssertHeld();
           return tables.devices.at(address).resume == id;
         });
}

JournalEntry Core::Settled(OperationId id) {
  const auto operation = tables.operations.find(id);
  if (operation == tables.operations.end() || !IsAwaited(operation->second)) return JournalRemoval{.key = id};
  JournalOperation row = RowOf(operation->second);
  row.request.reset();
  return row;
}

void Core::ForgetSettled() {
  JournalEntries gone;
  for (const auto& [id, row] : journal.state().operations) {
    const auto operation = tables.operations.find(id);
    if (!row.over || (operation != tables.operations.end() && IsAwaited(operation->second))) continue;
    gone.push_back(JournalRemoval{.key = id});
  }
  if (!gone.empty()) journal.Note(gone);
}

}  // namespace p2pd
