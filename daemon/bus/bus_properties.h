// What D-Bus shows of p2pd, its devices and its sessions: one table an interface, from core's views to values. Pure.
#ifndef P2PD_DAEMON_BUS_BUS_PROPERTIES_H_
#define P2PD_DAEMON_BUS_BUS_PROPERTIES_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "daemon/bus/bus_value.h"
#include "daemon/core/types.h"

namespace p2pd {

inline constexpr char kBusName[] = "org.p2pd.Broker1";
inline constexpr char kBusPath[] = "/org/p2pd/Broker1";
inline constexpr char kManagerInterface[] = "org.p2pd.Broker1.Manager";
inline constexpr char kDeviceInterface[] = "org.p2pd.Broker1.Device";
inline constexpr char kSessionInterface[] = "org.p2pd.Broker1.Session";
inline constexpr char kLogLevelProperty[] = "LogLevel";

// p2pd as a whole.
struct ManagerView {
  std::string version;
  std::string kernel;  // "linux" or "simulation"
  std::string log_level;
  CapabilityView continuity;  // whether p2pd could be started again without a loss
  StatusView status;
};

template <typename View>
struct BusProperty {
  const char* name;
  bool constant;  // for as long as the object exists
  BusValue (*get)(const View&);
};

// In the order of introspection.
absl::Span<const BusProperty<ManagerView>> PropertiesOf(const ManagerView&);
absl::Span<const BusProperty<DeviceView>> PropertiesOf(const DeviceView&);
absl::Span<const BusProperty<SessionView>> PropertiesOf(const SessionView&);

// The names of the properties that differ; those that are constant do not.
template <typename View>
std::vector<std::string> Differences(const View& before, const View& after) {
  std::vector<std::string> names;
  for (const BusProperty<View>& property : PropertiesOf(after)) {
    if (!property.constant && property.get(before) != property.get(after)) names.push_back(property.name);
  }
  return names;
}

// "/org/p2pd/Broker1/devices/0000_3a_00_0", "/org/p2pd/Broker1/sessions/7".
std::string PathOf(const DeviceView& view);
std::string PathOf(const SessionView& view);

}  // namespace p2pd

#endif  // P2PD_DAEMON_BUS_BUS_PROPERTIES_H_
