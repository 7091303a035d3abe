#include "daemon/bus/status_line.h"

#include "gtest/gtest.h"

namespace p2pd {
namespace {

TEST(StatusLineTest, CountsWhatThereIs) {
  EXPECT_EQ(StatusLine({.devices = 2, .sessions = 3, .mappings = 41}, {}, {}), "2 devices, 3 sessions, 41 mappings");
  EXPECT_EQ(StatusLine({.devices = 1, .sessions = 1, .mappings = 1}, {}, {}), "1 device, 1 session, 1 mapping");
}

TEST(StatusLineTest, SaysHowManyDevicesAreOfNoUse) {
  const std::map<std::string, DeviceView> devices = {{"a", {.state = DeviceState::kTainted}},
                                                     {"b", {.state = DeviceState::kAwaitingDriver}},
                                                     {"c", {.state = DeviceState::kFaulted}},
                                                     {"d", {.state = DeviceState::kFaulted}}};
  EXPECT_EQ(StatusLine({.devices = 4}, devices, {}), "4 devices (2 FAULTED, 1 TAINTED), 0 sessions, 0 mappings");
}

TEST(StatusLineTest, NamesOperationsThatTakeLong) {
  EXPECT_EQ(StatusLine({}, {}, {"operations/5", "operations/7"}),
            "0 devices, 0 sessions, 0 mappings; slow: operations/5, operations/7");
}

}  // namespace
}  // namespace p2pd
