#include "daemon/bus/bus_properties.h"

#include <set>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

DeviceView Disk() {
  return {.address = {.domain = 0, .bus = 0x3a, .device = 0, .function = 0}, .vendor = 0x1b36, .device = 0x10};
}

TEST(BusPropertiesTest, APathNamesADeviceInOneWay) {
  EXPECT_EQ(PathOf(Disk()), "/org/p2pd/Broker1/devices/0000_3a_00_0");
  EXPECT_EQ(PathOf(SessionView{.id = SessionId(7)}), "/org/p2pd/Broker1/sessions/7");
}

TEST(BusPropertiesTest, OnlyWhatDiffersHasChanged) {
  DeviceView reset = Disk();
  EXPECT_THAT(Differences(Disk(), reset), IsEmpty());
  reset.state = DeviceState::kResetting;
  reset.generation = 2;
  EXPECT_THAT(Differences(Disk(), reset), ElementsAre("State", "Generation"));
  DeviceView bound = Disk();
  bound.bars = {{.index = 2, .size = 4096, .exportable = true}};
  EXPECT_THAT(Differences(Disk(), bound), ElementsAre("Bars"));
}

TEST(BusPropertiesTest, WhatIsConstantDoesNotChange) {
  ManagerView other = {.version = "2", .status = {.devices = 3}};
  EXPECT_THAT(Differences(ManagerView{.version = "1"}, other), ElementsAre("Devices"));
}

// What sd-bus is told about a property's type before there is a value must hold for every value.
template <typename View>
void ExpectStableSignatures(const View& full) {
  std::set<std::string> names;
  for (const auto& property : PropertiesOf(full)) {
    EXPECT_STREQ(SignatureOf(property.get(View())), SignatureOf(property.get(full))) << property.name;
    EXPECT_TRUE(names.insert(property.name).second) << property.name;
  }
}

TEST(BusPropertiesTest, APropertysTypeDoesNotDependOnItsValue) {
  DeviceView device = Disk();
  device.driver = SessionId(3);
  device.bars = {{.index = 0, .size = 4096, .control = true}};
  ExpectStableSignatures(device);
  ExpectStableSignatures(SessionView{.id = SessionId(1), .peer = {.pid = 12}, .connected = absl::FromUnixSeconds(1)});
  ExpectStableSignatures(ManagerView{.status = {.capabilities = {{.name = "x"}}}});
}

TEST(BusPropertiesTest, TimesAreMicrosecondsSince1970) {
  const SessionView view = {.connected = absl::FromUnixSeconds(2)};
  for (const auto& property : PropertiesOf(view)) {
    if (property.name == std::string("Connected")) {
      EXPECT_EQ(property.get(view), BusValue(uint64_t{2000000}));
    }
  }
}

}  // namespace
}  // namespace p2pd
