// What an operation leaves behind: its steps with their times, and what became of each mapping.
#include "daemon/core/core.h"

namespace p2pd {
namespace {

constexpr size_t kOutcomesListed = 1000;  // a receipt is kept, and must fit in a message

}  // namespace

OperationView Brief(const OperationView& view) {
  return {.id = view.id,
          .kind = view.kind,
          .state = view.state,
          .device = view.device,
          .devices = view.devices,
          .generation = view.generation,
          .error = view.error,
          .started = view.started,
          .took = view.took,
          .steps = view.steps,
          .parties = view.parties,
          .mapping_count = view.mapping_count};
}

void Core::AddStep(OperationEntry& operation, const std::string& what, absl::Duration began, const absl::Status& status,
                   std::optional<absl::Duration> ended) {
  operation.view.steps.push_back({.what = what,
                                  .started = began - operation.began,
                                  .took = ended.value_or(scheduler.Now()) - began,
                                  .error = status.ok() ? "" : std::string(status.message())});
  Announce(operation, EventType::kChanged);
}

void Core::Announce(const OperationEntry& operation, EventType type) {
  if (operation.order.recorded) tables.Publish(type, Brief(operation.view), std::nullopt);
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
  const auto [place, is_new] = operation.outcomes.emplace(mapping.view.id, operation.outcomes.size());
  if (is_new) ++operation.view.mapping_count;
  if (place->second >= kOutcomesListed) return;
  if (is_new) operation.view.mappings.emplace_back();
  operation.view.mappings[place->second] = {.mapping = mapping.view.id,
                                            .iova = mapping.view.iova.start,
                                            .state = mapping.view.state,
                                            .reason = mapping.view.state_reason};
}

}  // namespace p2pd
