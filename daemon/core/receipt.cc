// What an operation leaves behind: its steps with their times, and what became of each mapping. And the notes
// in the journal, before each change and after.
#include "daemon/core/core.h"

namespace p2pd {
namespace {

constexpr size_t kOutcomesListed = 1000;  // a receipt is kept, sent to every watcher, and must fit in a message

}  // namespace

void Core::AddStep(OperationEntry& operation, const std::string& what, absl::Duration began,
                   const absl::Status& status) {
  operation.view.steps.push_back({.what = what,
                                  .started = began - operation.began,
                                  .took = scheduler.Now() - began,
                                  .error = status.ok() ? "" : std::string(status.message())});
  if (operation.order.recorded) tables.Publish(EventType::kChanged, operation.view, std::nullopt);
}

absl::Status Core::RunStep(OperationId id, const std::string& what, absl::FunctionRef<absl::Status()> step) {
  const absl::Duration began = scheduler.Now();
  const absl::Status status = step();
  CoreLock lock(mutex);
  if (const auto entry = tables.operations.find(id); entry != tables.operations.end()) {
    AddStep(entry->second, what, began, status);
  }
  return status;
}

void Core::AddOutcome(OperationEntry& operation, const MappingEntry& mapping) {
  if (operation.view.mappings.size() >= kOutcomesListed && !operation.outcomes.contains(mapping.view.id)) return;
  const auto [place, is_new] = operation.outcomes.emplace(mapping.view.id, operation.view.mappings.size());
  if (is_new) operation.view.mappings.emplace_back();
  operation.view.mappings[place->second] = {.mapping = mapping.view.id,
                                            .iova = mapping.view.iova.start,
                                            .state = mapping.view.state,
                                            .reason = mapping.view.state_reason};
}

absl::Status Core::Note(JournalVerb verb, JournalPhase phase, const MappingEntry& mapping) {
  return journal.Write({.verb = verb,
                        .phase = phase,
                        .session = mapping.view.session.value(),
                        .address_space = mapping.view.address_space.value(),
                        .object = mapping.view.id.value(),
                        .device = mapping.exporter.value_or(PciAddress()),
                        .iova = mapping.view.iova});
}

}  // namespace p2pd
