#include "daemon/device/path_verdict.h"

#include "daemon/device/testing/pci_machine.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::p2pd::testing::Express;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uint16_t kRedirect = 0x1d;  // source validation, request and completion redirect, upstream forwarding
constexpr uint16_t kNoRedirect = 0x11;

// Below a host bridge that is not listed: root port 1 leads to a switch with three devices, one of two functions;
// root port 2 to a device, port 3 to a PCI bridge with two. A second host bridge has a device of its own.
struct Acs {
  std::optional<uint16_t> root = {}, upstream = {}, first = {}, second = {}, device = {};
};

class SampleMachine {
 public:
  void Build(const Acs& acs = {}, uint16_t host_device = 0x29c0) {
    machine_.AddHostBridge("pci0000:00", 0x8086, host_device);
    machine_.AddPort("0000:00:01.0", "pci0000:00", Express::kRootPort, acs.root);
    machine_.AddPort("0000:01:00.0", "0000:00:01.0", Express::kUpstream, acs.upstream);
    machine_.AddPort("0000:02:00.0", "0000:01:00.0", Express::kDownstream, acs.first);
    machine_.AddPort("0000:02:01.0", "0000:01:00.0", Express::kDownstream, acs.second);
    machine_.Add({.address = "0000:03:00.0", .above = "0000:02:00.0", .acs = acs.device});
    machine_.AddDevice("0000:03:00.1", "0000:02:00.0");
    machine_.AddDevice("0000:04:00.0", "0000:02:01.0");
    machine_.AddPort("0000:00:02.0", "pci0000:00", Express::kRootPort);
    machine_.AddDevice("0000:05:00.0", "0000:00:02.0");
    machine_.AddPort("0000:00:03.0", "pci0000:00", Express::kNone);
    for (const char* device : {"0000:06:01.0", "0000:06:02.0"}) {
      machine_.Add({.address = device, .above = "0000:00:03.0", .express = Express::kNone});
    }
  }
  PathVerdict Judge(const char* exporter, const char* importer) {
    const auto topology = ReadTopology(machine_.sysfs(), machine_.cpuinfo());
    EXPECT_TRUE(topology.ok()) << topology.status();
    return JudgePath(*topology, *PciAddress::Parse(exporter), *PciAddress::Parse(importer));
  }
  static std::vector<std::string> Redirecting(const PathVerdict& verdict) {
    std::vector<std::string> bridges;
    for (const AcsRedirect& redirect : verdict.redirects) bridges.push_back(redirect.bridge.ToString());
    return bridges;
  }

  testing::PciMachine machine_;
};

class PathVerdictTest : public ::testing::Test, public SampleMachine {};

TEST_F(PathVerdictTest, AFunctionsWayToItselfIsSelf) {
  Build();
  const PathVerdict verdict = Judge("0000:03:00.0", "0000:03:00.0");
  EXPECT_EQ(verdict.kind, PathKind::kSelf);
  EXPECT_EQ(verdict.kernel_kind, PathKind::kBusAddress);
  EXPECT_EQ(verdict.relation, Relation::kSelf);
  EXPECT_EQ(verdict.distance, 0);
  EXPECT_THAT(verdict.reason, HasSubstr("same function"));
}

TEST_F(PathVerdictTest, ASwitchWithoutRedirectPassesRequestsItself) {
  Build({.root = kRedirect, .upstream = {}, .first = kNoRedirect, .second = kNoRedirect});
  const PathVerdict verdict = Judge("0000:03:00.0", "0000:04:00.0");
  EXPECT_EQ(verdict.kind, PathKind::kBusAddress);
  EXPECT_EQ(verdict.relation, Relation::kSameSwitch);
  EXPECT_EQ(verdict.distance, 4);
  EXPECT_EQ(verdict.common_bridge, *PciAddress::Parse("0000:01:00.0"));
  EXPECT_THAT(verdict.redirects, IsEmpty()) << "the root port is above the common bridge";
  EXPECT_EQ(verdict.host_bridge_trust, Trust::kNotListed) << "told, though this way does not need it";
  EXPECT_THAT(verdict.reason, AllOf(HasSubstr("Bridge 0000:01:00.0"), HasSubstr("ATS")));
  EXPECT_THAT(verdict.remedy, IsEmpty());
}

TEST_F(PathVerdictTest, TwoFunctionsOfOneDeviceAreTwoHopsApart) {
  Build();
  const PathVerdict verdict = Judge("0000:03:00.0", "0000:03:00.1");
  EXPECT_EQ(verdict.kind, PathKind::kBusAddress);
  EXPECT_EQ(verdict.distance, 2);
  EXPECT_EQ(verdict.common_bridge, *PciAddress::Parse("0000:02:00.0"));
}

// Wherever redirect is on between the two, in either direction.
TEST_F(PathVerdictTest, RedirectAtAnyBridgeBetweenThemSendsRequestsUp) {
  const std::vector<std::pair<Acs, std::string>> positions = {
      {{.upstream = kRedirect}, "0000:01:00.0"},   {{.first = kRedirect}, "0000:02:00.0"},
      {{.second = kRedirect}, "0000:02:01.0"},     {{.device = kRedirect}, "0000:03:00.0"},
      {{.first = uint16_t{0x20}}, "0000:02:00.0"},  // egress control
  };
  for (const auto& [acs, bridge] : positions) {
    SampleMachine machine_of_its_own;
    machine_of_its_own.Build(acs);
    for (const auto& [exporter, importer] :
         {std::pair{"0000:03:00.0", "0000:04:00.0"}, std::pair{"0000:04:00.0", "0000:03:00.0"}}) {
      const PathVerdict verdict = machine_of_its_own.Judge(exporter, importer);
      EXPECT_EQ(verdict.kind, PathKind::kNotSupported);
      EXPECT_THAT(Redirecting(verdict), ElementsAre(bridge));
      EXPECT_EQ(verdict.distance, 4);
      EXPECT_THAT(verdict.reason, AllOf(HasSubstr("ACS redirect is on at " + bridge), HasSubstr("8086:29c0")));
      EXPECT_THAT(verdict.remedy, HasSubstr("pci=disable_acs_redir=" + bridge));
    }
  }
}

TEST_F(PathVerdictTest, RedirectingBridgesAreListedFromTheExporterUpThenFromTheImporter) {
  Build({.first = kRedirect, .second = kRedirect});
  EXPECT_THAT(Redirecting(Judge("0000:04:00.0", "0000:03:00.0")), ElementsAre("0000:02:01.0", "0000:02:00.0"));
  EXPECT_THAT(Judge("0000:04:00.0", "0000:03:00.0").remedy, HasSubstr("=0000:02:01.0;0000:02:00.0 "));
}

TEST_F(PathVerdictTest, AListedHostBridgeTakesWhatIsRedirected) {
  Build({.first = kRedirect}, 0x2020);
  const PathVerdict verdict = Judge("0000:03:00.0", "0000:04:00.0");
  EXPECT_EQ(verdict.kind, PathKind::kThroughHostBridge);
  EXPECT_EQ(verdict.relation, Relation::kSameSwitch);
  EXPECT_THAT(verdict.remedy, IsEmpty());
}

TEST_F(PathVerdictTest, TwoRootPortsMeetAtTheHostBridgeOnly) {
  Build();
  const PathVerdict verdict = Judge("0000:03:00.0", "0000:05:00.0");
  EXPECT_EQ(verdict.kind, PathKind::kNotSupported);
  EXPECT_EQ(verdict.relation, Relation::kSameHostBridge);
  EXPECT_EQ(verdict.distance, 6);
  EXPECT_EQ(verdict.common_bridge, std::nullopt);
  EXPECT_THAT(verdict.host_bridges, ElementsAre("pci0000:00"));
  EXPECT_THAT(verdict.remedy, HasSubstr("behind one switch"));
}

TEST_F(PathVerdictTest, AmdsZenTakesEverything) {
  Build();
  machine_.SetCpu("AuthenticAMD", 0x19);
  EXPECT_EQ(Judge("0000:03:00.0", "0000:05:00.0").kind, PathKind::kThroughHostBridge);
}

TEST_F(PathVerdictTest, TwoHostBridgesMustBothBeGoodTowardsOthers) {
  Build({}, 0x2020);
  machine_.AddHostBridge("pci0000:80", 0x8086, 0x2f00);  // within itself only
  machine_.AddDevice("0000:80:02.0", "pci0000:80");
  machine_.AddDevice("0000:80:03.0", "pci0000:80");
  const PathVerdict apart = Judge("0000:80:02.0", "0000:05:00.0");
  EXPECT_EQ(apart.kind, PathKind::kNotSupported);
  EXPECT_EQ(apart.relation, Relation::kApart);
  EXPECT_THAT(apart.host_bridges, ElementsAre("pci0000:80", "pci0000:00"));
  EXPECT_THAT(apart.reason, HasSubstr("8086:2f00 at 0000:80:00.0"));
  EXPECT_EQ(Judge("0000:80:02.0", "0000:80:03.0").kind, PathKind::kThroughHostBridge);
  machine_.AddHostBridge("pci0000:90", 0x1ae0, 1);
  machine_.AddDevice("0000:90:02.0", "pci0000:90");
  EXPECT_EQ(Judge("0000:90:02.0", "0000:05:00.0").kind, PathKind::kThroughHostBridge);
}

TEST_F(PathVerdictTest, APciBridgeIsARootPortToItsDevices) {
  Build();
  const PathVerdict verdict = Judge("0000:06:01.0", "0000:06:02.0");
  EXPECT_EQ(verdict.kind, PathKind::kBusAddress);
  EXPECT_EQ(verdict.relation, Relation::kSameRootPort);
  EXPECT_EQ(verdict.distance, 2);
  EXPECT_EQ(verdict.lowest_payload, 0u);
}

TEST_F(PathVerdictTest, DevicesOfTheRootBusShareNoBridge) {
  Build();
  machine_.AddDevice("0000:00:10.0", "pci0000:00");
  machine_.AddDevice("0000:00:10.1", "pci0000:00");
  const PathVerdict verdict = Judge("0000:00:10.0", "0000:00:10.1");
  EXPECT_EQ(verdict.kind, PathKind::kNotSupported);
  EXPECT_EQ(verdict.distance, 2);
}

TEST_F(PathVerdictTest, AVirtualFunctionIsWhereItsPhysicalFunctionIs) {
  Build({.first = kNoRedirect});
  machine_.Add({.address = "0000:07:00.2", .above = "0000:02:00.0", .physical_function = "0000:03:00.0"});
  EXPECT_EQ(Judge("0000:07:00.2", "0000:03:00.0").distance, 2);
  EXPECT_EQ(Judge("0000:07:00.2", "0000:04:00.0").distance, 4);
  EXPECT_EQ(Judge("0000:07:00.2", "0000:04:00.0").kind, PathKind::kBusAddress);
}

TEST_F(PathVerdictTest, AConfigurationThatIsCutShortIsUnknown) {
  for (const size_t shown : {size_t{0}, size_t{64}, size_t{256}}) {
    SampleMachine machine;
    machine.Build();
    machine.machine_.Add({.address = "0000:02:02.0",
                          .above = "0000:01:00.0",
                          .class_code = 0x060400,
                          .express = Express::kDownstream,
                          .shown = shown});
    machine.machine_.AddDevice("0000:07:00.0", "0000:02:02.0");
    const PathVerdict verdict = machine.Judge("0000:03:00.0", "0000:07:00.0");
    EXPECT_EQ(verdict.kind, PathKind::kUnknown);
    EXPECT_THAT(verdict.reason, HasSubstr("Whether ACS redirect is on at 0000:02:02.0 is unknown"));
    EXPECT_THAT(verdict.remedy, HasSubstr("p2pd-config.socket"));
    EXPECT_EQ(machine.Judge("0000:03:00.0", "0000:04:00.0").kind, PathKind::kBusAddress) << "it is not on this way";
  }
}

TEST_F(PathVerdictTest, WhatSomebodyElseReadMakesAWayKnown) {
  Build();
  testing::FunctionSpec port = {.address = "0000:02:02.0",
                                .above = "0000:01:00.0",
                                .class_code = 0x060400,
                                .express = Express::kDownstream,
                                .acs = kNoRedirect,
                                .shown = 64};
  machine_.Add(port);
  machine_.AddDevice("0000:07:00.0", "0000:02:02.0");
  absl::StatusOr<std::string> answer = testing::ConfigOf(port);
  const auto judge = [&] {
    const ConfigSource source = [&](const std::vector<PciAddress>&) { return std::vector{answer}; };
    const auto topology = ReadTopology(machine_.sysfs(), machine_.cpuinfo(), source);
    EXPECT_TRUE(topology.ok()) << topology.status();
    return JudgePath(*topology, *PciAddress::Parse("0000:03:00.0"), *PciAddress::Parse("0000:07:00.0"));
  };
  EXPECT_EQ(judge().kind, PathKind::kBusAddress);
  port.acs = kRedirect;
  answer = testing::ConfigOf(port);
  EXPECT_EQ(judge().kind, PathKind::kNotSupported);
  EXPECT_THAT(Redirecting(judge()), ElementsAre("0000:02:02.0"));
  answer = absl::NotFoundError("nobody answers");
  EXPECT_EQ(judge().kind, PathKind::kUnknown);
  EXPECT_THAT(judge().reason, HasSubstr("its configuration space could only be read to byte 64; nobody answers."));
}

TEST_F(PathVerdictTest, WhatWasNotReadMattersOnlyWhereTheAnswerDependsOnIt) {
  Build({.first = kRedirect});
  machine_.Add({.address = "0000:07:00.0", .above = "0000:02:01.0", .shown = 64});
  EXPECT_EQ(Judge("0000:07:00.0", "0000:04:00.0").kind, PathKind::kUnknown);
  EXPECT_EQ(Judge("0000:07:00.0", "0000:03:00.0").kind, PathKind::kNotSupported) << "another bridge redirects";
  EXPECT_EQ(Judge("0000:07:00.0", "0000:05:00.0").kind, PathKind::kNotSupported) << "no bridge is asked";
}

TEST_F(PathVerdictTest, AFunctionThatIsNotThereIsUnknown) {
  Build();
  const PathVerdict verdict = Judge("0000:03:00.0", "0000:99:00.0");
  EXPECT_EQ(verdict.kind, PathKind::kUnknown);
  EXPECT_EQ(verdict.distance, -1);
  EXPECT_THAT(verdict.reason, HasSubstr("0000:99:00.0"));
}

TEST_F(PathVerdictTest, GroupsOfTheirOwnMeanThatRequestsGoUpWhateverAcsSays) {
  Build();
  machine_.AddDevice("0000:03:00.2", "0000:02:00.0", 1);
  machine_.AddDevice("0000:03:00.3", "0000:02:00.0", 2);
  machine_.AddDevice("0000:03:00.4", "0000:02:00.0", 2);
  const PathVerdict apart = Judge("0000:03:00.2", "0000:03:00.3");
  EXPECT_EQ(apart.kind, PathKind::kNotSupported);
  EXPECT_EQ(apart.kernel_kind, PathKind::kBusAddress);
  EXPECT_TRUE(apart.separate_groups());
  EXPECT_THAT(apart.reason, HasSubstr("IOMMU groups of their own"));
  const PathVerdict together = Judge("0000:03:00.4", "0000:03:00.3");
  EXPECT_EQ(together.kind, PathKind::kBusAddress);
  EXPECT_FALSE(together.separate_groups());
  EXPECT_EQ(Judge("0000:03:00.0", "0000:03:00.3").kind, PathKind::kBusAddress) << "without a group nothing is implied";
}

TEST_F(PathVerdictTest, NamesPayloadsThatDiffer) {
  Build();
  machine_.Add({.address = "0000:07:00.0", .above = "0000:02:01.0", .max_payload = 512});
  const PathVerdict verdict = Judge("0000:03:00.0", "0000:07:00.0");
  EXPECT_EQ(verdict.lowest_payload, 128u);
  EXPECT_THAT(verdict.payloads.size(), 5u);
  EXPECT_THAT(verdict.reason, HasSubstr("0000:07:00.0 512"));
  EXPECT_THAT(verdict.remedy, HasSubstr("pci=pcie_bus_peer2peer"));
  EXPECT_THAT(Judge("0000:03:00.0", "0000:04:00.0").payloads, IsEmpty());
}

TEST_F(PathVerdictTest, AVirtualFunctionsPayloadIsItsPhysicalFunctions) {
  Build();
  machine_.Add({.address = "0000:07:00.0", .above = "0000:02:01.0", .max_payload = 512});
  machine_.Add({.address = "0000:07:00.1", .above = "0000:02:01.0", .physical_function = "0000:07:00.0"});
  EXPECT_THAT(Judge("0000:07:00.1", "0000:03:00.0").reason, HasSubstr("0000:07:00.1 512"));
}

TEST_F(PathVerdictTest, ABootOptionsEffectShowsWhenReadAnew) {
  Build({.first = kRedirect});
  EXPECT_EQ(Judge("0000:03:00.0", "0000:04:00.0").kind, PathKind::kNotSupported);
  machine_.Remove("0000:03:00.0");
  machine_.Remove("0000:03:00.1");
  machine_.Remove("0000:02:00.0");
  machine_.AddPort("0000:02:00.0", "0000:01:00.0", Express::kDownstream, kNoRedirect);
  machine_.AddDevice("0000:03:00.0", "0000:02:00.0");
  EXPECT_EQ(Judge("0000:03:00.0", "0000:04:00.0").kind, PathKind::kBusAddress);
}

}  // namespace
}  // namespace p2pd
