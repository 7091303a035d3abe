#include "daemon/core/tables.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"

namespace p2pd {

SessionEntry* Tables::FindSession(SessionId id) {
  const auto entry = sessions.find(id);
  return entry == sessions.end() ? nullptr : &entry->second;
}

DeviceEntry* Tables::FindDevice(const PciAddress& address) {
  const auto entry = devices.find(address);
  return entry == devices.end() ? nullptr : &entry->second;
}

MappingEntry* Tables::FindMapping(MappingId id) {
  const auto entry = mappings.find(id);
  return entry == mappings.end() ? nullptr : entry->second.get();
}

void Tables::Publish(EventType type, Object object, std::optional<SessionId> owner) {
  ++last_sequence;
  if (watchers.empty()) return;
  const auto event = std::make_shared<const Event>(
      Event{.type = type, .sequence = last_sequence, .time = absl::Now(), .object = std::move(object)});
  for (const WatchEntry& entry : watchers) {
    if (owner.has_value() && !entry.observer && entry.viewer != *owner) continue;
    if (const auto watcher = entry.watcher.lock()) watcher->OnEvent(event);
  }
  ForgetGoneWatchers();
}

void Tables::ForgetGoneWatchers() {
  std::erase_if(watchers, [](const WatchEntry& entry) { return entry.watcher.expired(); });
}

}  // namespace p2pd
