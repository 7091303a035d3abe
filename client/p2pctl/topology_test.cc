// p2pctl topology: the tree, the matrix, one pair, JSON, Graphviz.
#include "client/p2pctl/p2pctl_fixture.h"
#include "google/protobuf/text_format.h"
#include "google/protobuf/util/json_util.h"

namespace p2p::ctl {
namespace {

using ::p2p::testing::FakeState;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kTopology[] = R"(
  nodes { name: "pci0000:00" kind: HOST_BRIDGE vendor_id: "8086" device_id: "29c0" numa_node: 0 iommu_group: -1
          trust: NOT_LISTED trust_reason: "it is not on the list" }
  nodes { name: "0000:00:01.0" parent: "pci0000:00" kind: ROOT_PORT vendor_id: "1b36" device_id: "000c" numa_node: -1
          iommu_group: 1 acs: REDIRECT acs_control: 0x1d acs_redirect: "RR" acs_redirect: "CR" ats: NO_ATS
          max_payload: 128 }
  nodes { name: "devices/0000:01:00.0" parent: "0000:00:01.0" kind: DEVICE vendor_id: "144d" device_id: "a80a"
          numa_node: -1 iommu_group: 7 acs: NO_ACS ats: ATS_OFF max_payload: 256 }
  nodes { name: "devices/0000:02:00.0" parent: "pci0000:00" kind: DEVICE vendor_id: "144d" device_id: "a80a"
          numa_node: -1 iommu_group: 8 problem: "could only be read to byte 64" }
  paths { exporter: "devices/0000:01:00.0" importer: "devices/0000:01:00.0" kind: SELF kernel_kind: BUS_ADDR
          relation: SAME_DEVICE reason: "They are the same." }
  paths { exporter: "devices/0000:01:00.0" importer: "devices/0000:02:00.0" kind: NOT_SUPPORTED kernel_kind: BUS_ADDR
          relation: SAME_HOST_BRIDGE distance: 3 host_bridges: "pci0000:00" host_bridge_trust: NOT_LISTED
          exporter_iommu_group: 7 importer_iommu_group: 8 lowest_payload: 128 reason: "The host bridge is no good."
          remedy: "Buy another one." }
  paths { exporter: "devices/0000:02:00.0" importer: "devices/0000:01:00.0" kind: UNKNOWN kernel_kind: UNKNOWN
          relation: SAME_HOST_BRIDGE distance: -1 exporter_iommu_group: -1 importer_iommu_group: -1
          reason: "It was cut short." }
  paths { exporter: "devices/0000:02:00.0" importer: "devices/0000:02:00.0" kind: SELF relation: SAME_DEVICE }
)";

class TopologyTest : public P2pctlFixture {
 protected:
  TopologyTest() {
    p2pd_.broker().WithState([](FakeState& state) {
      EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(kTopology, &state.topology));
    });
  }
  // The only field of the matrix for a pair of this kind.
  std::string Field(v1::Topology::Path::Kind kind, v1::Topology::Path::Relation relation, int host_bridges) {
    p2pd_.broker().WithState([&](FakeState& state) {
      auto& path = *state.topology.mutable_paths(1);
      path.set_kind(kind);
      path.set_relation(relation);
      path.clear_host_bridges();
      for (int i = 0; i < host_bridges; ++i) path.add_host_bridges("pci");
    });
    Run({"topology", "--matrix", "--no-legend"});
    const std::string start = "0  0000:01:00.0  X   ";
    EXPECT_THAT(out_, StartsWith(start));
    return out_.substr(start.size(), out_.find('\n') - start.size());
  }
};

TEST_F(TopologyTest, TheTreeShowsWhatHangsBelowWhat) {
  EXPECT_EQ(Run({"topology", "--tree"}), ExitStatus::kOk);
  EXPECT_EQ(out_,
            "NAME              KIND         ID         NODE  GROUP  ACS             ATS      PAYLOAD  NOTE\n"
            "pci0000:00        host bridge  8086:29c0     0      -  -               -              -  not known good\n"
            "|-0000:00:01.0    root port    1b36:000c     -      1  redirect RR CR  none         128  -\n"
            "| `-0000:01:00.0  device       144d:a80a     -      7  none            off          256  -\n"
            "`-0000:02:00.0    device       144d:a80a     -      8  unknown         unknown        -  "
            "could only be read to byte 64\n");
}

TEST_F(TopologyTest, TheMatrixHasARowAnExporterAndAColumnAnImporter) {
  EXPECT_EQ(Run({"topology", "--matrix"}), ExitStatus::kOk);
  EXPECT_THAT(out_, StartsWith("#  EXPORTER      0   1\n"
                               "0  0000:01:00.0  X   HB!\n"
                               "1  0000:02:00.0  ??  X\n"
                               "\nHow DMA of the device of a column gets to memory of the device of a row:\n"));
  EXPECT_THAT(out_, HasSubstr("  HB!  through their host bridge, which is not: the kernel would refuse\n"));
}

TEST_F(TopologyTest, EveryKindOfWayHasItsWord) {
  using Path = v1::Topology::Path;
  EXPECT_EQ(Field(Path::BUS_ADDR, Path::SAME_SWITCH, 1), "SW");
  EXPECT_EQ(Field(Path::BUS_ADDR, Path::SAME_ROOT_PORT, 1), "RP");
  EXPECT_EQ(Field(Path::THRU_HOST_BRIDGE, Path::SAME_SWITCH, 1), "HB");
  EXPECT_EQ(Field(Path::THRU_HOST_BRIDGE, Path::APART, 2), "HH");
  EXPECT_EQ(Field(Path::NOT_SUPPORTED, Path::SAME_HOST_BRIDGE, 1), "HB!");
  EXPECT_EQ(Field(Path::NOT_SUPPORTED, Path::APART, 2), "HH!");
  EXPECT_EQ(Field(Path::UNKNOWN, Path::APART, 2), "??");
}

TEST_F(TopologyTest, WithoutOptionsTheMatrixFollowsTheTree) {
  EXPECT_EQ(Run({"topology"}), ExitStatus::kOk);
  EXPECT_THAT(out_, AllOf(StartsWith("NAME "), HasSubstr("\n\n#  EXPORTER ")));
  EXPECT_EQ(Run({"topology", "--no-legend"}), ExitStatus::kOk);
  EXPECT_THAT(out_, AllOf(StartsWith("pci0000:00 "), Not(HasSubstr("EXPORTER")), Not(HasSubstr("root port that"))));
}

TEST_F(TopologyTest, OnePairIsExplainedInSentences) {
  EXPECT_EQ(Run({"topology", "01:00.0", "02:00.0"}), ExitStatus::kOk);
  EXPECT_EQ(out_,
            "DMA of 0000:02:00.0 to memory of 0000:01:00.0 goes through their host bridge, which is not: the kernel "
            "would refuse (HB!).\n"
            "The host bridge is no good.\n"
            "They are 3 hops apart.\n"
            "The kernel's own answer, which knows nothing of IOMMU groups, is BUS_ADDR.\n"
            "The IOMMU translates the importer's requests, as those of group 8; the exporter is in group 7.\n"
            "Packets of up to 128 bytes pass all of the way.\n"
            "What helps: Buy another one.\n");
  EXPECT_EQ(Run({"topology", "02:00.0", "01:00.0"}), ExitStatus::kOk);
  EXPECT_EQ(out_,
            "How DMA of 0000:01:00.0 gets to memory of 0000:02:00.0 is unknown.\n"
            "It was cut short.\n"
            "No IOMMU stands between: the importer is in no IOMMU group.\n");
  EXPECT_EQ(Run({"topology", "01:00.0", "01:00.0"}), ExitStatus::kOk);
  EXPECT_THAT(out_, AllOf(HasSubstr("refuses that by default"), EndsWith("They are the same.\n")));
}

TEST_F(TopologyTest, JsonIsTheWholeOrThePair) {
  v1::Topology topology;
  EXPECT_EQ(Run({"--json", "topology"}), ExitStatus::kOk);
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(out_, &topology).ok());
  EXPECT_EQ(topology.nodes_size(), 4);
  EXPECT_EQ(topology.paths_size(), 4);
  topology.Clear();
  EXPECT_EQ(Run({"topology", "01:00.0", "02:00.0", "--json"}), ExitStatus::kOk);
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(out_, &topology).ok());
  ASSERT_EQ(topology.paths_size(), 1);
  EXPECT_EQ(topology.paths(0).distance(), 3);
}

TEST_F(TopologyTest, PagesMakeOneWhole) {
  p2pd_.broker().WithState([](FakeState& state) { state.page_size = 3; });
  EXPECT_EQ(Run({"topology", "--matrix", "--no-legend"}), ExitStatus::kOk);
  EXPECT_EQ(out_,
            "0  0000:01:00.0  X   HB!\n"
            "1  0000:02:00.0  ??  X\n");
  EXPECT_EQ(p2pd_.calls().Of("GetTopology").size(), 2u);
}

TEST_F(TopologyTest, DotIsAGraphOfWhatHangsBelowWhat) {
  EXPECT_EQ(Run({"topology", "--dot"}), ExitStatus::kOk);
  EXPECT_THAT(out_, AllOf(StartsWith("digraph topology {\n"), EndsWith("}\n"),
                          HasSubstr("\"0000:00:01.0\" -> \"0000:01:00.0\";\n"),
                          HasSubstr("\"0000:00:01.0\" [label=\"0000:00:01.0\\nroot port\\nACS: redirect RR CR\", "
                                    "color=red];\n")));
}

TEST_F(TopologyTest, AMachineWithoutDevicesHasAnEmptyMatrix) {
  p2pd_.broker().WithState([](FakeState& state) { state.topology.Clear(); });
  EXPECT_EQ(Run({"topology", "--no-legend"}), ExitStatus::kOk);
  EXPECT_EQ(out_, "\n");
}

TEST_F(TopologyTest, SaysWhatIsMissingOrTooMuch) {
  EXPECT_EQ(Run({"topology", "01:00.0"}), ExitStatus::kUsage);
  EXPECT_THAT(err_, HasSubstr("IMPORTER is missing"));
  EXPECT_EQ(Run({"topology", "01:00.0", "x"}), ExitStatus::kUsage);
  EXPECT_EQ(Run({"topology", "01:00.0", "02:00.0", "03:00.0"}), ExitStatus::kUsage);
  EXPECT_EQ(Run({"topology", "--tree", "--dot"}), ExitStatus::kUsage);
  EXPECT_THAT(err_, HasSubstr("more than one view"));
  EXPECT_EQ(Run({"topology", "--tree", "01:00.0", "02:00.0"}), ExitStatus::kUsage);
  EXPECT_EQ(Run({"topology", "01:00.0", "09:00.0"}), ExitStatus::kNotFound);
}

}  // namespace
}  // namespace p2p::ctl
