// The objects that D-Bus shows, as core's events leave them, and what of that the bus has not been told yet. Pure:
// no bus, no clock.
#ifndef P2PD_DAEMON_BUS_BUS_MODEL_H_
#define P2PD_DAEMON_BUS_BUS_MODEL_H_

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "daemon/bus/bus_properties.h"
#include "daemon/core/types.h"

namespace p2pd {

struct BusChanges {
  struct Object {
    std::string path;
    const char* interface = nullptr;
    std::vector<std::string> properties = {};  // of a changed object
  };
  std::vector<Object> added;
  std::vector<Object> removed;
  std::vector<Object> changed;
};

class BusModel {
 public:
  explicit BusModel(const ManagerView& manager) : manager_(manager), told_manager_(manager) {}

  void Apply(const Event& event);
  void SetManager(const ManagerView& manager) { manager_ = manager; }

  // What has changed since the last call: an object that came and went between two calls is in none of the lists.
  BusChanges TakeChanges();

  // By path; nullptr where there is none.
  const ManagerView& manager() const { return manager_; }
  const DeviceView* FindDevice(absl::string_view path) const;
  const SessionView* FindSession(absl::string_view path) const;
  std::vector<std::string> Paths() const;
  const std::map<std::string, DeviceView>& devices() const { return devices_; }

 private:
  ManagerView manager_;
  ManagerView told_manager_;
  std::map<std::string, DeviceView> devices_;
  std::map<std::string, DeviceView> told_devices_;
  std::map<std::string, SessionView> sessions_;
  std::map<std::string, SessionView> told_sessions_;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_BUS_BUS_MODEL_H_
