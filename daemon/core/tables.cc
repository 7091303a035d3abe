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
  Tell(owner, [&](Watcher& watcher) { watcher.OnEvent(event); });
  ForgetGoneWatchers();
}

void Tables::Publish(EventType type, const MappingView& mapping, std::optional<SessionId> owner) {
  bool wanted = false;
  Tell(owner, [&](Watcher& watcher) { wanted = wanted || watcher.Wants(mapping); });
  if (wanted) return Publish(type, Object(mapping), owner);
  ++last_sequence;
  Tell(owner, [](Watcher& watcher) { watcher.OnUnwanted(); });
  ForgetGoneWatchers();
}

void Tables::Tell(std::optional<SessionId> owner, absl::FunctionRef<void(Watcher&)> tell) {
  for (const WatchEntry& entry : watchers) {
    if (owner.has_value() && !entry.observer && entry.viewer != *owner) continue;
    if (const auto watcher = entry.watcher.lock()) tell(*watcher);
  }
}

void Tables::ForgetGoneWatchers() {
  std::erase_if(watchers, [](const WatchEntry& entry) { return entry.watcher.expired(); });
}

}  // namespace p2pd
