#include "daemon/kernel/sim/sysfs_writer.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace p2pd::sim {
namespace {

namespace fs = std::filesystem;

class SysfsWriterTest : public testing::Test {
 protected:
  SysfsWriterTest() {
    std::string name = (fs::temp_directory_path() / "p2pd-sysfs.XXXXXX").string();
    root_ = mkdtemp(name.data());
  }
  ~SysfsWriterTest() override { fs::remove_all(root_); }

  void WriteSample() {
    const auto simulation = ReadSimulationFile("deploy/simulation/two_nvme.textproto");
    ASSERT_TRUE(simulation.ok()) << simulation.status();
    devices_ = *ParseSimulation(*simulation);
    const absl::Status status = WriteSysfs(root_.string(), devices_);
    ASSERT_TRUE(status.ok()) << status;
  }

  void Update(bool present, const std::string& cdev) {
    const absl::Status status = UpdateSysfs(root_.string(), devices_, {.bus = 1}, present, cdev);
    EXPECT_TRUE(status.ok()) << status;
  }

  // Every path of the tree, with what the files and links hold.
  std::map<std::string, std::string> Everything() {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(root_)) {
      const fs::path path = entry.path().lexically_relative(root_);
      all[path] = entry.is_symlink() ? fs::read_symlink(entry.path()).string() : entry.is_directory() ? "" : Read(path);
    }
    return all;
  }

  std::string Read(const fs::path& path) {
    std::ifstream file(root_ / path, std::ios::binary);
    return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  }

  fs::path root_;
  std::vector<DeviceSpec> devices_;
};

TEST_F(SysfsWriterTest, DescribesADevice) {
  WriteSample();
  const fs::path nvme = "bus/pci/devices/0000:01:00.0";
  EXPECT_EQ(Read(nvme / "vendor"), "0x1b36\n");
  EXPECT_EQ(Read(nvme / "device"), "0x0010\n");
  EXPECT_EQ(Read(nvme / "class"), "0x010802\n");
  EXPECT_EQ(Read(nvme / "numa_node"), "-1\n");
  EXPECT_EQ(Read(nvme / "reset_method"), "flr\n");
  EXPECT_EQ(fs::read_symlink(root_ / nvme / "driver").filename(), "vfio-pci");
  EXPECT_TRUE(fs::is_directory(root_ / nvme / "vfio-dev/vfio0"));
  EXPECT_EQ(Read(nvme / "config").size(), 4096u);
  EXPECT_EQ(Read(nvme / "config").substr(0, 4), "\x36\x1b\x10" + std::string(1, '\0'));
  EXPECT_FALSE(fs::exists(root_ / "bus/pci/devices/0000:00:10.0/reset_method"));
}

TEST_F(SysfsWriterTest, ListsTheBars) {
  WriteSample();
  std::ifstream resource(root_ / "bus/pci/devices/0000:01:00.0/resource");
  std::string line;
  ASSERT_TRUE(std::getline(resource, line));
  EXPECT_EQ(line, "0x00000000c0000000 0x00000000c0003fff 0x0000000000040200");
  ASSERT_TRUE(std::getline(resource, line));
  EXPECT_EQ(line, "0x0000000000000000 0x0000000000000000 0x0000000000000000");
  ASSERT_TRUE(std::getline(resource, line));
  EXPECT_EQ(line, "0x0000380000000000 0x0000380003ffffff 0x000000000014220c");
}

TEST_F(SysfsWriterTest, EveryLinkLeadsSomewhereInTheTree) {
  WriteSample();
  int links = 0;
  for (const auto& entry : fs::recursive_directory_iterator(root_)) {
    if (!entry.is_symlink()) continue;
    ++links;
    EXPECT_TRUE(fs::exists(entry.path())) << entry.path();
    EXPECT_TRUE(fs::read_symlink(entry.path()).is_relative()) << entry.path();
  }
  EXPECT_GT(links, 4 * 4);
}

TEST_F(SysfsWriterTest, PutsDevicesBelowThePortsThatLeadToThem) {
  WriteSample();
  const fs::path nvme = fs::canonical(root_ / "bus/pci/devices/0000:01:00.0");
  const fs::path port = nvme.parent_path();
  EXPECT_EQ(port.parent_path().filename(), "pci0000:00");
  EXPECT_EQ(Read(port / "class"), "0x060400\n");
  EXPECT_EQ(Read(port / "config")[0x19], 1);  // its secondary bus
  EXPECT_EQ(fs::canonical(root_ / "bus/pci/devices/0000:00:10.0").parent_path().filename(), "pci0000:00");
  EXPECT_NE(fs::canonical(root_ / "bus/pci/devices/0000:02:00.0").parent_path(), port);
}

TEST_F(SysfsWriterTest, FillsIommuGroups) {
  WriteSample();
  const fs::path nvme = root_ / "bus/pci/devices/0000:01:00.0";
  const fs::path group = fs::canonical(nvme / "iommu_group");
  EXPECT_EQ(group.filename(), "10");
  EXPECT_EQ(fs::canonical(group / "devices/0000:01:00.0"), fs::canonical(nvme));
  EXPECT_EQ(Read(group / "reserved_regions"), "0x00000000fee00000 0x00000000feefffff msi\n");
}

TEST_F(SysfsWriterTest, ShowsNeitherDriverNorNodeOfADeviceThatIsBeingUnbound) {
  WriteSample();
  const fs::path nvme = root_ / "bus/pci/devices/0000:01:00.0";
  Update(/*present=*/true, "");
  EXPECT_FALSE(fs::exists(nvme / "vfio-dev"));
  EXPECT_FALSE(fs::is_symlink(nvme / "driver"));
  EXPECT_TRUE(fs::exists(nvme / "config"));
  Update(/*present=*/true, "vfio9");
  EXPECT_TRUE(fs::exists(nvme / "vfio-dev/vfio9"));
  EXPECT_FALSE(fs::exists(nvme / "vfio-dev/vfio0"));
  EXPECT_TRUE(fs::exists(nvme / "driver"));
}

TEST_F(SysfsWriterTest, TakesADeviceAwayAndBringsItBackAsItWas) {
  WriteSample();
  const auto before = Everything();
  Update(/*present=*/false, "");
  for (const auto& [path, content] : Everything()) EXPECT_EQ(path.find("0000:01:00.0"), std::string::npos) << path;
  Update(/*present=*/true, "vfio0");
  EXPECT_EQ(Everything(), before);
}

TEST_F(SysfsWriterTest, MakesNoTreeWhereThereIsNone) {
  WriteSample();
  fs::remove_all(root_);
  EXPECT_FALSE(UpdateSysfs(root_.string(), devices_, {.bus = 1}, /*present=*/true, "vfio0").ok());
  EXPECT_FALSE(fs::exists(root_));
}

TEST_F(SysfsWriterTest, SaysWhatItCouldNotWrite) {
  const absl::Status status = WriteSysfs("/proc/p2pd", {});
  EXPECT_FALSE(status.ok());
}

}  // namespace
}  // namespace p2pd::sim
