#include "daemon/core/answers.h"

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"

namespace p2pd {
namespace {

uint64_t ObjectOf(const JournalOutcome& outcome, size_t place = 0) {
  return place < outcome.parts.size() ? outcome.parts[place].object : 0;
}

// 0: none.
uint64_t NumberOf(const std::optional<OperationId>& id) { return id.value_or(OperationId()).value(); }

std::optional<OperationId> OperationOf(const JournalOutcome& outcome) {
  const OperationId id(ObjectOf(outcome));
  return id == OperationId() ? std::nullopt : std::optional(id);
}

MappingView MappingOf(const Tables& tables, SessionId session, const JournalOutcome::Part& part) {
  const MappingId id(part.object);
  if (const auto entry = tables.mappings.find(id); entry != tables.mappings.end()) return entry->second->view;
  return {.id = id, .session = session, .iova = part.iova, .state = MappingState::kRevoked};
}

}  // namespace

JournalOutcome Summary(const DeviceView& view) {
  return {.generation = view.generation, .parts = {{.object = NumberOf(view.address)}}};
}

JournalOutcome Summary(const ExportView& view) { return {.parts = {{.object = view.id.value()}}}; }

JournalOutcome Summary(const AddressSpaceView& view) { return {.parts = {{.object = view.id.value()}}}; }

JournalOutcome Summary(const MappingView& view) { return {.parts = {{.object = view.id.value(), .iova = view.iova}}}; }

JournalOutcome Summary(const std::vector<MappingView>& views) {
  JournalOutcome outcome;
  for (const MappingView& view : views) outcome.parts.push_back({.object = view.id.value(), .iova = view.iova});
  return outcome;
}

JournalOutcome Summary(const AcquiredView& view) {
  JournalOutcome outcome = Summary(view.mappings);
  outcome.parts.insert(outcome.parts.begin(), {.object = view.source.id.value()});
  return outcome;
}

JournalOutcome Summary(const OperationView& view) {
  return {.kind = view.kind, .generation = view.generation, .parts = {{.object = view.id.value()}}};
}

JournalOutcome Summary(const OfferView& view) { return {.parts = {{.object = view.id.value()}}}; }

JournalOutcome Summary(const WithdrawalView& view) { return {.parts = {{.object = NumberOf(view.operation)}}}; }

JournalOutcome Summary(const ReloadView& view) {
  return {.generation = view.generation,
          .parts = {{.object = NumberOf(view.operation)},
                    {.object = view.dry_run ? 1u : 0u},
                    {.object = static_cast<uint64_t>(view.rules)},
                    {.object = view.fallen_count}}};
}

void Rebuild(const Tables& tables, const JournalOutcome& outcome, DeviceView& view) {
  const PciAddress address = AddressOf(ObjectOf(outcome));
  const auto device = tables.devices.find(address);
  view = device != tables.devices.end() ? device->second.view
                                        : DeviceView{.address = address, .state = DeviceState::kGone};
}

void Rebuild(const Tables& tables, const JournalOutcome& outcome, ExportView& view) {
  const ExportId id(ObjectOf(outcome));
  const auto entry = tables.exports.find(id);
  view = entry != tables.exports.end() ? entry->second.view : ExportView{.id = id, .session = outcome.session};
}

void Rebuild(const Tables& tables, const JournalOutcome& outcome, AddressSpaceView& view) {
  const AddressSpaceId id(ObjectOf(outcome));
  const auto entry = tables.spaces.find(id);
  view = entry != tables.spaces.end() ? entry->second.view : AddressSpaceView{.id = id, .session = outcome.session};
}

void Rebuild(const Tables& tables, const JournalOutcome& outcome, MappingView& view) {
  view = outcome.parts.empty() ? MappingView() : MappingOf(tables, outcome.session, outcome.parts.front());
}

void Rebuild(const Tables& tables, const JournalOutcome& outcome, std::vector<MappingView>& views) {
  for (const JournalOutcome::Part& part : outcome.parts) views.push_back(MappingOf(tables, outcome.session, part));
}

void Rebuild(const Tables& tables, const JournalOutcome& outcome, AcquiredView& view) {
  Rebuild(tables, outcome, view.source);
  for (size_t i = 1; i < outcome.parts.size(); ++i) {
    view.mappings.push_back(MappingOf(tables, outcome.session, outcome.parts[i]));
  }
  view.source.mappings = view.mappings.size();
}

void Rebuild(const Tables& tables, const JournalOutcome& outcome, OperationView& view) {
  const OperationId id(ObjectOf(outcome));
  const auto entry = tables.operations.find(id);
  view =
      entry != tables.operations.end()
          ? entry->second.view
          : OperationView{
                .id = id, .kind = outcome.kind, .state = OperationState::kSucceeded, .generation = outcome.generation};
}

void Rebuild(const Tables& tables, const JournalOutcome& outcome, OfferView& view) {
  const OfferId id(ObjectOf(outcome));
  const auto entry = tables.offers.find(id);
  view = entry != tables.offers.end() ? entry->second.view : OfferView{.id = id, .session = outcome.session};
}

void Rebuild(const Tables&, const JournalOutcome& outcome, WithdrawalView& view) {
  view.operation = OperationOf(outcome);
}

void Rebuild(const Tables&, const JournalOutcome& outcome, ReloadView& view) {
  view = {.dry_run = ObjectOf(outcome, 1) != 0,
          .generation = outcome.generation,
          .rules = static_cast<int>(ObjectOf(outcome, 2)),
          .fallen_count = ObjectOf(outcome, 3),
          .operation = OperationOf(outcome)};
}

JournalOutcome SummaryOfOperation(const JournalOperation& row, const OperationView& view) {
  if (row.recorded && row.kind == OperationKind::kDriverEnd) {  // CloseDevice
    return {.generation = view.generation, .parts = {{.object = NumberOf(row.devices.front())}}};
  }
  if (row.recorded) return Summary(view);
  if (!view.error.empty()) {
    return {.status = MakeError(absl::StatusCode::kInternal, {.reason = Reason::kKernel, .step = "Unmap"}, view.error)};
  }
  JournalOutcome outcome;
  for (const MappingId id : row.mappings) outcome.parts.push_back({.object = id.value()});
  return outcome;
}

}  // namespace p2pd
