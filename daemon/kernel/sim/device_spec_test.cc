#include "daemon/kernel/sim/device_spec.h"

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace p2pd::sim {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<std::vector<DeviceSpec>> Parse(const std::string& text) {
  p2pd::v1::Simulation simulation;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &simulation));
  return ParseSimulation(simulation);
}

std::string WhyNot(const std::string& device) {
  const auto specs = Parse("device { " + device + " }");
  EXPECT_EQ(specs.status().code(), absl::StatusCode::kInvalidArgument) << device;
  return std::string(specs.status().message());
}

TEST(DeviceSpecTest, ReadsTheSampleMachine) {
  const auto simulation = ReadSimulationFile("deploy/simulation/two_nvme.textproto");
  ASSERT_TRUE(simulation.ok()) << simulation.status();
  const auto specs = ParseSimulation(*simulation);
  ASSERT_TRUE(specs.ok()) << specs.status();
  ASSERT_EQ(specs->size(), 4u);
  const DeviceSpec& exporter = specs->front();
  EXPECT_EQ(exporter.cdev, "vfio0");
  EXPECT_EQ(exporter.address.ToString(), "0000:01:00.0");
  EXPECT_EQ(exporter.bars[2].size, uint64_t{64} << 20);
  EXPECT_TRUE(exporter.bars[2].wide);
  EXPECT_TRUE(exporter.express());
  EXPECT_TRUE(exporter.resettable);
  EXPECT_EQ(exporter.reset_time, absl::Milliseconds(100));
  EXPECT_FALSE((*specs)[2].express());
  EXPECT_FALSE((*specs)[2].resettable);
  EXPECT_EQ((*specs)[2].dma_address_bits, 28);
}

TEST(DeviceSpecTest, ReadsTheLargerMachine) {
  const auto simulation = ReadSimulationFile("deploy/simulation/accelerators.textproto");
  ASSERT_TRUE(simulation.ok()) << simulation.status();
  const auto specs = ParseSimulation(*simulation);
  ASSERT_TRUE(specs.ok()) << specs.status();
  EXPECT_EQ(specs->size(), 13u);
  EXPECT_EQ(specs->back().msix->bar, 2u);
}

TEST(DeviceSpecTest, PlacesBarsApartAndAlignedToTheirSize) {
  const auto specs = Parse(
      "device { bdf: '0000:01:00.0' bar { index: 0 size: 0x4000 } bar { index: 2 size: 0x100000000 } }"
      "device { bdf: '0000:02:00.0' bar { index: 0 size: 0x100000 } bar { index: 2 size: 16 io: true } }");
  ASSERT_TRUE(specs.ok()) << specs.status();
  std::vector<Range> placed;
  for (const DeviceSpec& spec : *specs) {
    for (const BarSpec& bar : spec.bars) {
      if (bar.size == 0) continue;
      EXPECT_EQ(bar.address % bar.size, 0u);
      for (const Range& other : placed) EXPECT_FALSE(other.Overlaps({.start = bar.address, .length = bar.size}));
      placed.push_back({.start = bar.address, .length = bar.size});
    }
  }
  EXPECT_EQ(placed.size(), 4u);
}

TEST(DeviceSpecTest, RefusesAMachineThatCannotBe) {
  EXPECT_THAT(WhyNot("bdf: 'nonsense'"), HasSubstr("bdf"));
  EXPECT_THAT(WhyNot("bdf: '0000:00:00.0'"), HasSubstr("host bridge"));
  EXPECT_THAT(WhyNot("bdf: '0000:01:00.0' vendor_id: 0x10000"), HasSubstr("16 bits"));
  EXPECT_THAT(WhyNot("bdf: '0000:01:00.0' dma_address_bits: 65"), HasSubstr("dma_address_bits"));
  EXPECT_THAT(WhyNot("bdf: '0000:01:00.0' bar { index: 6 size: 4096 }"), HasSubstr("index"));
  EXPECT_THAT(WhyNot("bdf: '0000:01:00.0' bar { index: 0 size: 5000 }"), HasSubstr("power of two"));
  EXPECT_THAT(WhyNot("bdf: '0000:01:00.0' bar { index: 0 size: 0x10000000000 }"), HasSubstr("power of two"));
  EXPECT_THAT(WhyNot("bdf: '0000:01:00.0' bar { size: 4096 } bar { size: 4096 }"), HasSubstr("same index"));
  EXPECT_THAT(WhyNot("bdf: '0000:01:00.0' bar { index: 5 size: 0x100000000 }"), HasSubstr("two registers"));
  EXPECT_THAT(WhyNot("bdf: '0000:01:00.0' bar { size: 0x4000 } msix_vectors: 2 msix_table_offset: 0x3ff8"),
              HasSubstr("MSI-X"));
  EXPECT_THAT(WhyNot("bdf: '0000:01:00.0' bar { size: 0x4000 } msix_vectors: 2 msix_bar: 7"), HasSubstr("msix_bar"));
  EXPECT_THAT(WhyNot("bdf: '0000:01:00.0' nvme {}"), HasSubstr("16 KiB"));
  EXPECT_THAT(WhyNot("bdf: '0000:01:00.0' bar { size: 0x4000 io: true } dma_engine {}"), HasSubstr("16 KiB"));
  EXPECT_THAT(WhyNot("bdf: '0000:01:00.0' bar { size: 0x4000 } bar { index: 2 size: 4096 } nvme {}"),
              HasSubstr("memory buffer"));
  EXPECT_THAT(WhyNot("bdf: '0000:01:00.0' } device { bdf: '0000:01:00.0'"), HasSubstr("same bdf"));
}

TEST(DeviceSpecTest, SaysWhichFileIsMissing) {
  const auto simulation = ReadSimulationFile("/no/such/machine.textproto");
  EXPECT_EQ(simulation.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(simulation.status().message()), HasSubstr("/no/such/machine.textproto"));
}

TEST(DeviceSpecTest, SaysThatAFolderIsNoFile) {
  const auto simulation = ReadSimulationFile(testing::TempDir());
  EXPECT_FALSE(simulation.ok());
  EXPECT_THAT(std::string(simulation.status().message()), HasSubstr(testing::TempDir()));
  EXPECT_THAT(std::string(simulation.status().message()), HasSubstr("EISDIR"));
}

TEST(DeviceSpecTest, SaysWhereAFileIsWrong) {
  const std::string path = testing::TempDir() + "/wrong.textproto";
  FILE* const file = fopen(path.c_str(), "w");
  ASSERT_NE(file, nullptr);
  fputs("device {\n  bdf: \"0000:01:00.0\"\n  colour: 3\n}\n", file);
  fclose(file);
  const auto simulation = ReadSimulationFile(path);
  EXPECT_EQ(simulation.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(simulation.status().message()), HasSubstr("line 3"));
}

}  // namespace
}  // namespace p2pd::sim
