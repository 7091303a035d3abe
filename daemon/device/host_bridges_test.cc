#include "daemon/device/host_bridges.h"

#include "daemon/device/testing/pci_machine.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::p2pd::testing::Express;
using ::testing::HasSubstr;

class HostBridgesTest : public ::testing::Test {
 protected:
  HostBridge Judge(const std::string& name = "pci0000:00") {
    return JudgeHostBridges(*ReadPciTree(machine_.sysfs()), ReadCpu(machine_.cpuinfo())).at(name);
  }

  testing::PciMachine machine_;
};

TEST_F(HostBridgesTest, GoesByTheFirstFunctionOfTheRootBus) {
  machine_.AddHostBridge("pci0000:00", 0x8086, 0x2020);
  machine_.AddDevice("0000:00:02.0", "pci0000:00");
  EXPECT_EQ(Judge().trust, Trust::kGood);
  EXPECT_EQ(Judge().known_by, *PciAddress::Parse("0000:00:00.0"));
  EXPECT_THAT(Judge().reason, HasSubstr("8086:2020 at 0000:00:00.0 is on the kernel's list"));
}

TEST_F(HostBridgesTest, OneThatIsNotListedIsNotTrusted) {
  machine_.AddHostBridge("pci0000:00", 0x8086, 0x29c0);
  EXPECT_EQ(Judge().trust, Trust::kNotListed);
  EXPECT_THAT(Judge().reason, HasSubstr("8086:29c0 at 0000:00:00.0 is not on the kernel's list"));
}

TEST_F(HostBridgesTest, SomeAreGoodWithinThemselvesOnly) {
  machine_.AddHostBridge("pci0000:00", 0x8086, 0x2f00);
  EXPECT_EQ(Judge().trust, Trust::kGoodWithinItself);
}

TEST_F(HostBridgesTest, AnythingOfGooglesIsListed) {
  machine_.AddHostBridge("pci0000:00", 0x1ae0, 0x1234);
  EXPECT_EQ(Judge().trust, Trust::kGood);
}

TEST_F(HostBridgesTest, ARootPortStandsInForAHostBridge) {
  machine_.Add({.address = "0000:16:02.0",
                .above = "pci0000:16",
                .vendor = 0x8086,
                .device = 0x2030,
                .class_code = 0x060400,
                .express = Express::kRootPort});
  EXPECT_EQ(Judge("pci0000:16").trust, Trust::kGood);
}

TEST_F(HostBridgesTest, AnyOtherFirstFunctionDoesNot) {
  machine_.Add({.address = "0000:16:02.0", .above = "pci0000:16", .vendor = 0x8086, .device = 0x2030});
  EXPECT_EQ(Judge("pci0000:16").trust, Trust::kNotListed);
  EXPECT_EQ(Judge("pci0000:16").known_by, std::nullopt);
}

TEST_F(HostBridgesTest, AFirstFunctionWhoseKindCannotBeReadLeavesItUnknown) {
  machine_.Add({.address = "0000:16:02.0", .above = "pci0000:16", .vendor = 0x8086, .device = 0x2030, .shown = 64});
  EXPECT_EQ(Judge("pci0000:16").trust, Trust::kUnknown);
  EXPECT_THAT(Judge("pci0000:16").reason, HasSubstr("could only be read to byte 64"));
}

TEST_F(HostBridgesTest, AVirtualFunctionIsNeverTheFirst) {
  machine_.Add({.address = "0000:16:02.0", .above = "pci0000:16", .physical_function = "0000:16:03.0"});
  machine_.Add({.address = "0000:16:03.0",
                .above = "pci0000:16",
                .vendor = 0x8086,
                .device = 0x2030,
                .class_code = 0x060400,
                .express = Express::kRootPort});
  EXPECT_EQ(Judge("pci0000:16").known_by, *PciAddress::Parse("0000:16:03.0"));
}

TEST_F(HostBridgesTest, AmdsProcessorsPassEverythingFromZenOn) {
  machine_.AddHostBridge("pci0000:00", 0x1022, 0x1450);
  machine_.SetCpu("AuthenticAMD", 0x17);
  EXPECT_EQ(Judge().trust, Trust::kGood);
  EXPECT_THAT(Judge().reason, HasSubstr("family 0x17"));
  machine_.SetCpu("AuthenticAMD", 0x16);
  EXPECT_EQ(Judge().trust, Trust::kNotListed);
  machine_.SetCpu("HygonGenuine", 0x18);
  EXPECT_EQ(Judge().trust, Trust::kNotListed);
}

TEST_F(HostBridgesTest, WithoutKnowingTheProcessorOnlyTheListedAreTrusted) {
  machine_.AddHostBridge("pci0000:00", 0x8086, 0x2020);
  machine_.AddHostBridge("pci0000:80", 0x8086, 0x29c0);
  const auto bridges = JudgeHostBridges(*ReadPciTree(machine_.sysfs()), ReadCpu("/nonexistent"));
  EXPECT_EQ(bridges.at("pci0000:00").trust, Trust::kGood);
  EXPECT_EQ(bridges.at("pci0000:80").trust, Trust::kUnknown);
}

TEST_F(HostBridgesTest, AnArchitectureWithoutVendorsIsNotAmd) {
  const auto cpu = ReadCpu("/dev/null");
  ASSERT_TRUE(cpu.has_value());
  machine_.AddHostBridge("pci0000:00", 0x1022, 0x1450);
  EXPECT_EQ(JudgeHostBridges(*ReadPciTree(machine_.sysfs()), cpu).at("pci0000:00").trust, Trust::kNotListed);
}

}  // namespace
}  // namespace p2pd
