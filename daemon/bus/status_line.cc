#include "daemon/bus/status_line.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace p2pd {
namespace {

std::string Count(size_t count, const char* what) { return absl::StrCat(count, " ", what, count == 1 ? "" : "s"); }

bool IsOfUse(DeviceState state) {
  return state != DeviceState::kFaulted && state != DeviceState::kGone && state != DeviceState::kTainted;
}

}  // namespace

std::string StatusLine(const StatusView& status, const std::map<std::string, DeviceView>& devices,
                       const std::vector<std::string>& slow) {
  std::map<std::string, int> troubled;
  for (const auto& [name, device] : devices) {
    if (!IsOfUse(device.state)) ++troubled[std::string(Name(device.state))];
  }
  std::vector<std::string> troubles;
  for (const auto& [state, count] : troubled) troubles.push_back(absl::StrCat(count, " ", state));
  return absl::StrCat(Count(status.devices, "device"),
                      troubles.empty() ? "" : absl::StrCat(" (", absl::StrJoin(troubles, ", "), ")"), ", ",
                      Count(status.sessions, "session"), ", ", Count(status.mappings, "mapping"),
                      slow.empty() ? "" : absl::StrCat("; slow: ", absl::StrJoin(slow, ", ")));
}

}  // namespace p2pd
