// The path verdict on a real kernel's sysfs, in a test VM with a switch, root ports, two host bridges and a virtual
// function (topology.sh builds it). Asks daemon/device, and nothing above it.
//
// QEMU's q35 and its expander bridge are on nobody's list, so whatever goes through a host bridge is NOT_SUPPORTED:
// that is right.
#include <fstream>
#include <map>
#include <string>

#include "daemon/device/path_verdict.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kFirst[] = "0000:05:00.0";   // behind the switch's first port
constexpr char kSecond[] = "0000:05:00.1";  // its other function
constexpr char kThird[] = "0000:06:00.0";   // behind the switch's second port
constexpr char kNvme0[] = "0000:01:00.0";   // behind a root port each
constexpr char kNvme1[] = "0000:07:00.0";
constexpr char kVirtual[] = "0000:07:00.1";  // of kNvme1
constexpr char kTwin0[] = "0000:08:00.0";    // two functions behind one root port
constexpr char kTwin1[] = "0000:08:00.1";
constexpr char kOnRoot[] = "0000:00:10.0";  // on the root bus, conventional PCI
constexpr char kApart[] = "0000:41:00.0";   // below the other host bridge

class TopologyTest : public ::testing::Test {
 protected:
  TopologyTest() : topology_(ReadTopology("/sys", "/proc/cpuinfo")) {}
  void SetUp() override { ASSERT_TRUE(topology_.ok()) << topology_.status(); }

  static PciAddress Address(const std::string& text) { return *PciAddress::Parse(text); }
  PathVerdict Judge(const std::string& exporter, const std::string& importer) const {
    return JudgePath(*topology_, Address(exporter), Address(importer));
  }
  // "SW4": the relation and the distance, with "!" where it is not supported.
  std::string Field(const std::string& exporter, const std::string& importer) const {
    const PathVerdict verdict = Judge(exporter, importer);
    static const std::map<Relation, std::string> kWords = {
        {Relation::kSelf, "X"},          {Relation::kSameSwitch, "SW"},
        {Relation::kSameRootPort, "RP"}, {Relation::kSameHostBridge, "HB"},
        {Relation::kApart, "HH"},        {Relation::kUnknown, "??"}};
    return kWords.at(verdict.relation) + std::to_string(verdict.distance) +
           (verdict.kind == PathKind::kNotSupported ? "!" : "");
  }

  const absl::StatusOr<Topology> topology_;
};

TEST_F(TopologyTest, TheMatrixIsTheMachines) {
  const std::vector<std::string> devices = {kOnRoot, kNvme0, kFirst, kSecond, kThird, kNvme1, kVirtual, kApart};
  std::vector<std::vector<std::string>> matrix;
  for (const std::string& exporter : devices) {
    auto& row = matrix.emplace_back();
    for (const std::string& importer : devices) row.push_back(Field(exporter, importer));
  }
  EXPECT_THAT(matrix, ElementsAre(ElementsAre("X0", "HB3!", "HB5!", "HB5!", "HB5!", "HB3!", "HB3!", "HH3!"),
                                  ElementsAre("HB3!", "X0", "HB6!", "HB6!", "HB6!", "HB4!", "HB4!", "HH4!"),
                                  ElementsAre("HB5!", "HB6!", "X0", "SW2", "SW4!", "HB6!", "HB6!", "HH6!"),
                                  ElementsAre("HB5!", "HB6!", "SW2", "X0", "SW4!", "HB6!", "HB6!", "HH6!"),
                                  ElementsAre("HB5!", "HB6!", "SW4!", "SW4!", "X0", "HB6!", "HB6!", "HH6!"),
                                  ElementsAre("HB3!", "HB4!", "HB6!", "HB6!", "HB6!", "X0", "RP2!", "HH4!"),
                                  ElementsAre("HB3!", "HB4!", "HB6!", "HB6!", "HB6!", "RP2!", "X0", "HH4!"),
                                  ElementsAre("HH3!", "HH4!", "HH6!", "HH6!", "HH6!", "HH4!", "HH4!", "X0")));
}

TEST_F(TopologyTest, NothingIsUnknownToRoot) {
  for (const auto& [address, function] : topology_->tree.functions) {
    EXPECT_THAT(function.config.problem, IsEmpty()) << address.ToString();
    EXPECT_NE(function.config.port, PortType::kUnknown) << address.ToString();
    EXPECT_NE(function.root_bus, "") << address.ToString();
  }
}

TEST_F(TopologyTest, TheHostBridgesAreNotListed) {
  const HostBridge& q35 = topology_->host_bridges.at("pci0000:00");
  EXPECT_EQ(q35.trust, Trust::kNotListed);
  EXPECT_THAT(q35.reason, HasSubstr("8086:29c0 at 0000:00:00.0 is not on the kernel's list"));
  EXPECT_EQ(topology_->host_bridges.at("pci0000:40").trust, Trust::kNotListed);
}

TEST_F(TopologyTest, RootPortsRedirectAndSwitchPortsHaveNoAcs) {
  const auto config = [this](const char* address) { return topology_->tree.Find(Address(address))->config; };
  EXPECT_TRUE(config("0000:00:08.0").redirects());
  EXPECT_EQ(config("0000:00:08.0").port, PortType::kRootPort);
  EXPECT_EQ(config("0000:03:00.0").port, PortType::kUpstreamPort);
  EXPECT_EQ(config("0000:04:00.0").port, PortType::kDownstreamPort);
  EXPECT_EQ(config("0000:04:00.0").acs, Presence::kAbsent);
  EXPECT_EQ(config(kOnRoot).port, PortType::kConventional);
}

// The kernel would use bus addresses here, and gives both a group of their own all the same.
TEST_F(TopologyTest, ASwitchWithoutAcsStillHasAGroupForEachPort) {
  const PathVerdict verdict = Judge(kFirst, kThird);
  EXPECT_EQ(verdict.kernel_kind, PathKind::kBusAddress);
  EXPECT_EQ(verdict.kind, PathKind::kNotSupported);
  EXPECT_TRUE(verdict.separate_groups());
  EXPECT_EQ(verdict.common_bridge, Address("0000:03:00.0"));
  EXPECT_THAT(verdict.reason, AllOf(HasSubstr("past the IOMMU"), HasSubstr("8086:29c0")));
}

TEST_F(TopologyTest, TwoFunctionsOfOneDeviceShareAGroupAndAWay) {
  const PathVerdict verdict = Judge(kFirst, kSecond);
  EXPECT_EQ(verdict.kind, PathKind::kBusAddress);
  EXPECT_FALSE(verdict.separate_groups());
  EXPECT_GE(verdict.exporter_group, 0);
}

TEST_F(TopologyTest, ABootOptionTurnsRedirectOffAndTheVerdictFollows) {
  std::string options;
  std::getline(std::ifstream("/proc/cmdline"), options);
  const bool off = options.find("pci=disable_acs_redir=0000:00:0a.0") != std::string::npos;
  const PathVerdict verdict = Judge(kTwin0, kTwin1);
  EXPECT_EQ(verdict.relation, Relation::kSameRootPort);
  EXPECT_EQ(verdict.kernel_kind, off ? PathKind::kBusAddress : PathKind::kNotSupported);
  EXPECT_EQ(verdict.redirects.empty(), off);
  EXPECT_EQ(verdict.remedy.find("pci=disable_acs_redir=0000:00:0a.0") == std::string::npos, off) << verdict.remedy;
}

// Its physical function's root port redirects, and counts as common bridge.
TEST_F(TopologyTest, AVirtualFunctionIsWhereItsPhysicalFunctionIs) {
  const PathVerdict verdict = Judge(kNvme1, kVirtual);
  EXPECT_EQ(verdict.common_bridge, Address("0000:00:09.0"));
  ASSERT_EQ(verdict.redirects.size(), 1u);
  EXPECT_EQ(verdict.redirects[0].bridge, Address("0000:00:09.0"));
  EXPECT_THAT(verdict.remedy, HasSubstr("pci=disable_acs_redir=0000:00:09.0"));
  EXPECT_EQ(topology_->tree.Find(Address(kVirtual))->physical_function, Address(kNvme1));
}

}  // namespace
}  // namespace p2pd
