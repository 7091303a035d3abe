#include "daemon/bus/bus_model.h"

namespace p2pd {
namespace {

template <typename View>
void ApplyTo(std::map<std::string, View>& objects, EventType type, const View& view) {
  if (type == EventType::kDeleted) {
    objects.erase(PathOf(view));
  } else {
    objects[PathOf(view)] = view;
  }
}

template <typename View>
void Compare(const char* interface, const std::map<std::string, View>& now, std::map<std::string, View>& told,
             BusChanges& changes) {
  for (const auto& [path, view] : told) {
    if (!now.contains(path)) changes.removed.push_back({.path = path, .interface = interface});
  }
  for (const auto& [path, view] : now) {
    const auto before = told.find(path);
    if (before == told.end()) {
      changes.added.push_back({.path = path, .interface = interface});
    } else if (auto names = Differences(before->second, view); !names.empty()) {
      changes.changed.push_back({.path = path, .interface = interface, .properties = std::move(names)});
    }
  }
  told = now;
}

template <typename View>
const View* Find(const std::map<std::string, View>& objects, absl::string_view path) {
  const auto entry = objects.find(std::string(path));
  return entry == objects.end() ? nullptr : &entry->second;
}

}  // namespace

void BusModel::Apply(const Event& event) {
  if (const auto* device = std::get_if<DeviceView>(&event.object)) ApplyTo(devices_, event.type, *device);
  if (const auto* session = std::get_if<SessionView>(&event.object)) ApplyTo(sessions_, event.type, *session);
}

BusChanges BusModel::TakeChanges() {
  BusChanges changes;
  if (auto names = Differences(told_manager_, manager_); !names.empty()) {
    changes.changed.push_back({.path = kBusPath, .interface = kManagerInterface, .properties = std::move(names)});
  }
  told_manager_ = manager_;
  Compare(kDeviceInterface, devices_, told_devices_, changes);
  Compare(kSessionInterface, sessions_, told_sessions_, changes);
  return changes;
}

const DeviceView* BusModel::FindDevice(absl::string_view path) const { return Find(devices_, path); }
const SessionView* BusModel::FindSession(absl::string_view path) const { return Find(sessions_, path); }

std::vector<std::string> BusModel::Paths() const {
  std::vector<std::string> paths;
  for (const auto& [path, device] : devices_) paths.push_back(path);
  for (const auto& [path, session] : sessions_) paths.push_back(path);
  return paths;
}

}  // namespace p2pd
