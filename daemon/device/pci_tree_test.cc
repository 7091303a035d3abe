#include "daemon/device/pci_tree.h"

#include <filesystem>

#include "daemon/device/testing/pci_machine.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::p2pd::testing::ConfigOf;
using ::p2pd::testing::Express;
using ::p2pd::testing::FunctionSpec;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class PciTreeTest : public ::testing::Test {
 protected:
  PciTree Read() {
    auto tree = ReadPciTree(machine_.sysfs());
    EXPECT_TRUE(tree.ok()) << tree.status();
    return *std::move(tree);
  }
  static PciAddress Address(const char* text) { return *PciAddress::Parse(text); }
  static std::vector<std::string> WayUp(const PciTree& tree, const char* from) {
    std::vector<std::string> way;
    for (const PciFunction* function : tree.WayUp(Address(from))) way.push_back(function->address.ToString());
    return way;
  }

  testing::PciMachine machine_;
};

TEST_F(PciTreeTest, ReadsAFunctionAndWhatItHangsBelow) {
  machine_.AddPort("0000:00:01.0", "pci0000:00", Express::kRootPort, 0x1d);
  machine_.Add({.address = "0000:01:00.0", .above = "0000:00:01.0", .vendor = 0x8086, .device = 0x1592, .group = 7});
  const PciTree tree = Read();
  const PciFunction& device = tree.functions.at(Address("0000:01:00.0"));
  EXPECT_EQ(device.vendor, 0x8086);
  EXPECT_EQ(device.device, 0x1592);
  EXPECT_EQ(device.class_code, 0x010802u);
  EXPECT_EQ(device.iommu_group, 7);
  EXPECT_EQ(device.numa_node, -1);
  EXPECT_EQ(device.root_bus, "pci0000:00");
  EXPECT_EQ(device.upstream, Address("0000:00:01.0"));
  EXPECT_FALSE(device.is_bridge());
  const PciFunction& port = tree.functions.at(Address("0000:00:01.0"));
  EXPECT_TRUE(port.is_bridge());
  EXPECT_EQ(port.upstream, std::nullopt);
  EXPECT_EQ(port.iommu_group, -1);
  EXPECT_TRUE(port.config.redirects());
  EXPECT_THAT(WayUp(tree, "0000:01:00.0"), ElementsAre("0000:01:00.0", "0000:00:01.0"));
}

// As where the kernel has no memory for what it would say. Here the read of a folder fails.
TEST_F(PciTreeTest, WhatCannotBeReadIsUnknownAndNoMore) {
  machine_.AddPort("0000:00:01.0", "pci0000:00", Express::kRootPort);
  machine_.AddDevice("0000:01:00.0", "0000:00:01.0");
  const auto folder = std::filesystem::path(machine_.sysfs()) / "bus/pci/devices/0000:01:00.0";
  for (const char* name : {"vendor", "config"}) {
    std::filesystem::remove(folder / name);
    std::filesystem::create_directory(folder / name);
  }
  const PciTree tree = Read();
  const PciFunction& device = tree.functions.at(Address("0000:01:00.0"));
  EXPECT_EQ(device.vendor, 0);
  EXPECT_EQ(device.config.problem, "configuration space could not be read");
}

TEST_F(PciTreeTest, AVirtualFunctionsBridgeIsItsPhysicalFunctions) {
  machine_.AddPort("0000:00:01.0", "pci0000:00", Express::kRootPort);
  machine_.AddDevice("0000:01:00.0", "0000:00:01.0");
  // On a bus of its own that no bridge has.
  machine_.Add({.address = "0000:02:00.1", .above = "pci0000:00", .physical_function = "0000:01:00.0"});
  EXPECT_THAT(WayUp(Read(), "0000:02:00.1"), ElementsAre("0000:02:00.1", "0000:00:01.0"));
}

TEST_F(PciTreeTest, ADomainBelowAFunctionOfAnotherHasItsOwnRootBus) {
  machine_.AddDevice("0000:00:0e.0", "pci0000:00");
  machine_.AddPort("10000:e0:06.0", "pci0000:00/0000:00:0e.0/pci10000:e0", Express::kRootPort);
  machine_.AddDevice("10000:e1:00.0", "10000:e0:06.0");
  const PciTree tree = Read();
  EXPECT_THAT(WayUp(tree, "10000:e1:00.0"), ElementsAre("10000:e1:00.0", "10000:e0:06.0"));
  EXPECT_EQ(tree.functions.at(Address("10000:e1:00.0")).root_bus, "pci10000:e0");
  EXPECT_EQ(tree.functions.at(Address("0000:00:0e.0")).root_bus, "pci0000:00");
}

TEST_F(PciTreeTest, AWayWithAGapIsNoWay) {
  machine_.AddPort("0000:00:01.0", "pci0000:00", Express::kRootPort);
  machine_.AddDevice("0000:01:00.0", "0000:00:01.0");
  PciTree tree = Read();
  tree.functions.erase(Address("0000:00:01.0"));
  EXPECT_THAT(WayUp(tree, "0000:01:00.0"), IsEmpty());
  EXPECT_THAT(WayUp(tree, "0000:09:00.0"), IsEmpty());
}

TEST_F(PciTreeTest, AWayThatGoesRoundIsNoWay) {
  machine_.AddPort("0000:00:01.0", "pci0000:00", Express::kRootPort);
  PciTree tree = Read();
  tree.functions.at(Address("0000:00:01.0")).upstream = Address("0000:00:01.0");
  EXPECT_THAT(WayUp(tree, "0000:00:01.0"), IsEmpty());
}

TEST_F(PciTreeTest, ShowsWhatChangedSinceItWasReadLast) {
  machine_.AddPort("0000:00:01.0", "pci0000:00", Express::kRootPort, 0x1d);
  const PciTree before = Read();
  machine_.Remove("0000:00:01.0");
  machine_.AddPort("0000:00:01.0", "pci0000:00", Express::kRootPort, 0x11);
  EXPECT_TRUE(before.functions.begin()->second.config.redirects());
  EXPECT_FALSE(Read().functions.begin()->second.config.redirects());
}

TEST_F(PciTreeTest, WhoeverMayReadMoreIsAskedOnceForWhatIsCutShort) {
  const FunctionSpec port = {
      .address = "0000:00:01.0", .above = "pci0000:00", .express = Express::kRootPort, .acs = 0x1d};
  const FunctionSpec endpoint = {.address = "0000:01:00.0", .above = "0000:00:01.0"};
  for (FunctionSpec spec : {port, endpoint}) {
    spec.shown = 64;
    machine_.Add(spec);
  }
  machine_.AddDevice("0000:00:02.0", "pci0000:00");
  std::vector<std::string> asked;
  const auto tree = ReadPciTree(machine_.sysfs(), [&](const std::vector<PciAddress>& functions) {
    for (const PciAddress& function : functions) asked.push_back(function.ToString());
    return std::vector<absl::StatusOr<std::string>>{ConfigOf(port), absl::NotFoundError("it is not there")};
  });
  ASSERT_TRUE(tree.ok()) << tree.status();
  EXPECT_THAT(asked, ElementsAre("0000:00:01.0", "0000:01:00.0"));
  EXPECT_TRUE(tree->functions.at(Address("0000:00:01.0")).config.redirects());
  EXPECT_THAT(tree->functions.at(Address("0000:01:00.0")).config.problem, HasSubstr("it is not there"));
}

TEST_F(PciTreeTest, NobodyIsAskedForWhatIsThereOrCannotBeRead) {
  machine_.AddPort("0000:00:01.0", "pci0000:00", Express::kRootPort, 0x1d);
  machine_.Add({.address = "0000:01:00.0", .above = "0000:00:01.0", .shown = 0});
  machine_.Add({.address = "0000:01:00.1", .above = "0000:00:01.0", .shown = 256});
  bool asked = false;
  const auto tree = ReadPciTree(machine_.sysfs(), [&asked](const std::vector<PciAddress>&) {
    asked = true;
    return std::vector<absl::StatusOr<std::string>>();
  });
  EXPECT_TRUE(tree.ok()) << tree.status();
  EXPECT_FALSE(asked);
}

TEST_F(PciTreeTest, WhoeverAnswersTooLittleLeavesTheRestUnknown) {
  machine_.Add({.address = "0000:00:01.0", .above = "pci0000:00", .shown = 64});
  const auto tree = ReadPciTree(
      machine_.sysfs(), [](const std::vector<PciAddress>&) { return std::vector<absl::StatusOr<std::string>>(); });
  ASSERT_TRUE(tree.ok()) << tree.status();
  EXPECT_TRUE(tree->functions.at(Address("0000:00:01.0")).config.cut_short);
}

TEST_F(PciTreeTest, SaysWhichFolderIsMissing) {
  const auto tree = ReadPciTree(machine_.sysfs() + "/none");
  EXPECT_EQ(tree.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(tree.status().message()), HasSubstr("bus/pci/devices"));
}

}  // namespace
}  // namespace p2pd
