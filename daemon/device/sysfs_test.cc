#include "daemon/device/sysfs.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;

// A sysfs of the test's own making, laid out as the kernel lays it out: real folders under devices/, links
// to them under bus/pci/devices.
class SysfsTest : public ::testing::Test {
 protected:
  SysfsTest() : root_(mkdtemp(name_)) { fs::create_directories(root_ / "bus/pci/devices"); }
  ~SysfsTest() override { fs::remove_all(root_); }

  // `parents` is the path from the host bridge, as in "pci0000:00/0000:00:01.0".
  fs::path Add(const std::string& parents, const std::string& address, int group) {
    const fs::path dir = root_ / "devices" / parents / address;
    fs::create_directories(dir);
    fs::create_directory_symlink(fs::path("../../../devices") / parents / address, root_ / "bus/pci/devices" / address);
    fs::create_directory_symlink("../../../kernel/iommu_groups/" + std::to_string(group), dir / "iommu_group");
    Write(dir / "vendor", "0x1b36\n");
    Write(dir / "device", "0x0010\n");
    Write(dir / "class", "0x010802\n");
    Write(dir / "numa_node", "-1\n");
    return dir;
  }
  static void Write(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }

  char name_[32] = "/tmp/p2pd-sysfs.XXXXXX";
  fs::path root_;
};

PciAddress Address(const char* text) { return *PciAddress::Parse(text); }

TEST_F(SysfsTest, ReadsAFunctionAsTheKernelDescribesIt) {
  const fs::path dir = Add("pci0000:00/0000:00:01.0", "0000:01:00.0", 7);
  fs::create_directories(dir / "vfio-dev/vfio3");
  fs::create_directory_symlink("../../../bus/pci/drivers/vfio-pci", dir / "driver");
  Write(dir / "resource",
        "0x00000000fe800000 0x00000000fe803fff 0x0000000000140204\n"
        "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
        "0x000000f000000000 0x000000f003ffffff 0x000000000014220c\n");
  const auto devices = Sysfs(root_).Scan();
  ASSERT_TRUE(devices.ok()) << devices.status();
  ASSERT_EQ(devices->size(), 1u);
  const SysfsDevice& device = devices->front();
  EXPECT_EQ(device.address, Address("0000:01:00.0"));
  EXPECT_EQ(device.vendor, 0x1b36);
  EXPECT_EQ(device.class_code, 0x010802u);
  EXPECT_EQ(device.driver, "vfio-pci");
  EXPECT_EQ(device.cdev, "vfio3");
  EXPECT_EQ(device.iommu_group, 7);
  EXPECT_FALSE(device.on_root_bus);
  ASSERT_EQ(device.resources.size(), 3u);
  EXPECT_EQ(device.resources[0].range, (Range{0xfe800000, 0x4000}));
  EXPECT_FALSE(device.resources[0].is_prefetchable());
  EXPECT_FALSE(device.resources[1].is_memory());
  EXPECT_TRUE(device.resources[2].is_prefetchable());
  EXPECT_THAT(BusWindows(*devices), ElementsAre(Range{0xfe800000, 0x4000}, Range{0xf000000000, 0x4000000}));
}

TEST_F(SysfsTest, FindsTheVirtualFunctionsThatAreEnabledWhoeverHasThem) {
  const fs::path physical = Add("pci0000:00/0000:00:01.0", "0000:01:00.0", 7);
  Write(physical / "sriov_totalvfs", "4\n");
  EXPECT_TRUE(Sysfs(root_).VirtualFunctionsOf(Address("0000:01:00.0")).empty());
  for (const char* const address : {"0000:01:00.4", "0000:01:00.5"}) {
    const fs::path function = Add("pci0000:00/0000:00:01.0", address, 8);
    fs::create_directory_symlink("../0000:01:00.0", function / "physfn");
    fs::create_directory_symlink(fs::path("..") / address,
                                 physical / (std::string("virtfn") + (address[11] == '4' ? "0" : "1")));
  }
  fs::create_directory_symlink("../../../bus/pci/drivers/nvme", root_ / "bus/pci/devices/0000:01:00.5/driver");
  const std::vector<SysfsDevice> functions = Sysfs(root_).VirtualFunctionsOf(Address("0000:01:00.0"));
  ASSERT_EQ(functions.size(), 2u);
  EXPECT_EQ(functions[0].address, Address("0000:01:00.4"));
  EXPECT_EQ(functions[0].driver, "");
  EXPECT_EQ(functions[1].driver, "nvme");
  EXPECT_EQ(functions[1].physical_function, Address("0000:01:00.0"));
  EXPECT_FALSE(functions[1].has_sriov);
  EXPECT_TRUE(Sysfs(root_).Scan()->front().has_sriov);
}

TEST_F(SysfsTest, NeverOffersADeviceThatHasNoIommu) {
  fs::create_directories(Add("pci0000:00", "0000:00:02.0", 1) / "vfio-dev/noiommu-vfio0");
  EXPECT_EQ(Sysfs(root_).Scan()->front().cdev, "");
}

TEST_F(SysfsTest, SaysWhichFolderIsMissing) {
  const auto devices = Sysfs((root_ / "none").string()).Scan();
  EXPECT_EQ(devices.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(devices.status().message()), ::testing::HasSubstr("bus/pci/devices"));
}

TEST_F(SysfsTest, DevicesThatResetOrAreGroupedTogetherShareAContext) {
  Add("pci0000:00", "0000:00:10.0", 1);               // alone on the root bus
  Add("pci0000:00", "0000:00:11.0", 2);               // likewise
  Add("pci0000:00/0000:00:01.0", "0000:01:00.0", 3);  // two functions behind one port
  Add("pci0000:00/0000:00:01.0", "0000:01:00.1", 4);
  Add("pci0000:00/0000:00:02.0", "0000:02:00.0", 4);  // of one group with 01:00.1
  EXPECT_THAT(ContextClosure(*Sysfs(root_).Scan()),
              ElementsAre(ElementsAre(Address("0000:00:10.0")), ElementsAre(Address("0000:00:11.0")),
                          ElementsAre(Address("0000:01:00.0"), Address("0000:01:00.1"), Address("0000:02:00.0"))));
}

TEST_F(SysfsTest, MergedSetsJoinWhatMustShareAContextAnyway) {
  Add("pci0000:00", "0000:00:10.0", 1);
  Add("pci0000:00", "0000:00:11.0", 2);
  Add("pci0000:00/0000:00:01.0", "0000:01:00.0", 3);
  Add("pci0000:00/0000:00:01.0", "0000:01:00.1", 4);
  Add("pci0000:00/0000:00:02.0", "0000:02:00.0", 5);
  const auto merged = ContextClosure(*Sysfs(root_).Scan(),
                                     {{Address("0000:02:00.0"), Address("0000:01:00.1"), Address("0000:09:00.0")}});
  EXPECT_THAT(merged,
              ElementsAre(ElementsAre(Address("0000:00:10.0")), ElementsAre(Address("0000:00:11.0")),
                          ElementsAre(Address("0000:01:00.0"), Address("0000:01:00.1"), Address("0000:02:00.0"))));
}

}  // namespace
}  // namespace p2pd
