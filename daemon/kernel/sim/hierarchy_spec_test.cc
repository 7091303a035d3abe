#include "daemon/kernel/sim/hierarchy_spec.h"

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace p2pd::sim {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<HierarchySpec> Parse(const std::string& text) {
  p2pd::v1::Simulation simulation;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &simulation));
  const auto devices = ParseSimulation(simulation);
  EXPECT_TRUE(devices.ok()) << devices.status();
  return ParseHierarchy(simulation, *devices);
}

std::string WhyNot(const std::string& text) {
  const auto spec = Parse(text);
  EXPECT_EQ(spec.status().code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(spec.status().message());
}

TEST(HierarchySpecTest, ABusThatNothingLeadsToGetsARootPortWithAcs) {
  const auto spec = Parse(
      "device { bdf: '0000:00:01.0' } device { bdf: '0000:01:00.0' } device { bdf: '0000:01:00.1' }"
      "device { bdf: '0000:07:00.0' }");
  ASSERT_TRUE(spec.ok()) << spec.status();
  ASSERT_EQ(spec->host_bridges.size(), 1u);
  EXPECT_EQ(spec->host_bridges[0].address.ToString(), "0000:00:00.0");
  ASSERT_EQ(spec->bridges.size(), 2u);
  EXPECT_EQ(spec->bridges[0].address.ToString(), "0000:00:02.0") << "01.0 is taken";
  EXPECT_EQ(spec->bridges[0].secondary_bus, 1);
  EXPECT_EQ(spec->bridges[0].acs_control, 0x1d);
  EXPECT_EQ(spec->bridges[1].secondary_bus, 7);
  EXPECT_EQ(spec->cpu_vendor, "GenuineIntel");
  EXPECT_EQ(spec->cpu_family, 6u);
}

TEST(HierarchySpecTest, WhatIsDescribedIsTakenAsItIs) {
  const auto spec = Parse(
      "host_bridge { bus: 0x80 vendor_id: 0x1022 device_id: 1 numa_node: 1 }"
      "bridge { bdf: '0000:82:00.0' secondary_bus: 0x83 kind: UPSTREAM_PORT no_acs: true }"
      "bridge { bdf: '0000:80:01.0' secondary_bus: 0x82 acs_control: 0x11 }"
      "device { bdf: '0000:83:00.0' } cpu_vendor: 'AuthenticAMD' cpu_family: 25");
  ASSERT_TRUE(spec.ok()) << spec.status();
  ASSERT_EQ(spec->host_bridges.size(), 2u);
  EXPECT_EQ(spec->host_bridges[1].vendor, 0x1022);
  ASSERT_EQ(spec->bridges.size(), 2u);
  EXPECT_EQ(spec->bridges[0].acs_control, 0x11) << "in the order of addresses";
  EXPECT_EQ(spec->bridges[1].acs_control, std::nullopt);
  EXPECT_EQ(spec->cpu_family, 25u);
}

TEST(HierarchySpecTest, ReadsTheLargerMachine) {
  const auto simulation = ReadSimulationFile("deploy/simulation/accelerators.textproto");
  ASSERT_TRUE(simulation.ok()) << simulation.status();
  const auto spec = ParseHierarchy(*simulation, *ParseSimulation(*simulation));
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->host_bridges.size(), 2u);
  EXPECT_EQ(spec->bridges.size(), 4u * 5 + 1);
}

TEST(HierarchySpecTest, RefusesWhatCannotBeAMachine) {
  EXPECT_THAT(WhyNot("bridge { bdf: 'x' secondary_bus: 1 }"), HasSubstr("0000:01:00.0"));
  EXPECT_THAT(WhyNot("bridge { bdf: '0000:02:00.0' secondary_bus: 2 }"), HasSubstr("larger than the bridge's own"));
  EXPECT_THAT(WhyNot("bridge { bdf: '0000:00:01.0' secondary_bus: 256 }"), HasSubstr("at most 255"));
  EXPECT_THAT(WhyNot("bridge { bdf: '0000:00:01.0' secondary_bus: 2 acs_control: 128 }"), HasSubstr("acs_control 7"));
  EXPECT_THAT(WhyNot("bridge { bdf: '0000:00:01.0' secondary_bus: 2 acs_control: 1 no_acs: true }"),
              HasSubstr("exclude each other"));
  EXPECT_THAT(WhyNot("bridge { bdf: '0000:05:00.0' secondary_bus: 6 }"), HasSubstr("leads to its bus"));
  EXPECT_THAT(WhyNot("bridge { bdf: '0000:00:01.0' secondary_bus: 2 } bridge { bdf: '0000:00:02.0' secondary_bus: 2 }"),
              HasSubstr("leads to this bus"));
  EXPECT_THAT(WhyNot("device { bdf: '0000:00:01.0' } bridge { bdf: '0000:00:01.0' secondary_bus: 2 }"),
              HasSubstr("has this address"));
  EXPECT_THAT(WhyNot("host_bridge { bus: 256 }"), HasSubstr("8 bits"));
}

}  // namespace
}  // namespace p2pd::sim
