#include "daemon/bus/slow_operations.h"

#include "absl/strings/str_cat.h"
#include "daemon/front/resource_name.h"
#include "daemon/service/message_ids.h"

namespace p2pd {

void SlowOperations::Apply(const Event& event) {
  const auto* operation = std::get_if<OperationView>(&event.object);
  if (operation == nullptr) return;
  if (event.type == EventType::kDeleted || operation->state != OperationState::kRunning) {
    running_.erase(operation->id);
  } else {
    running_[operation->id].view = *operation;
  }
}

std::vector<LogEntry> SlowOperations::News(absl::Time now) {
  std::vector<LogEntry> news;
  for (auto& [id, running] : running_) {
    if (running.told || now - running.view.started < kSlow) continue;
    running.told = true;
    const std::string device = running.view.device.has_value() ? NameOf(*running.view.device) : "";
    const std::string last = running.view.steps.empty() ? "its beginning" : running.view.steps.back().what;
    news.push_back(
        {.level = LogLevel::kWarning,
         .message = absl::StrCat(NameOf(id), device.empty() ? "" : " on ", device, " takes long: nothing since ", last),
         .id = kOperationSlow,
         .fields = {{"P2PD_OPERATION", NameOf(id)}, {"P2PD_DEVICE", device}}});
  }
  return news;
}

std::vector<std::string> SlowOperations::Names() const {
  std::vector<std::string> names;
  for (const auto& [id, running] : running_) {
    if (running.told) names.push_back(NameOf(id));
  }
  return names;
}

}  // namespace p2pd
