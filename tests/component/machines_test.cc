// The machines that are shipped for p2pd --simulate are what they say, and p2pd can serve all of each.
#include <stdlib.h>

#include <filesystem>
#include <map>
#include <string>

#include "daemon/base/manual_scheduler.h"
#include "daemon/core/broker.h"
#include "daemon/core/memory_journal.h"
#include "daemon/kernel/sim_kernel.h"
#include "gtest/gtest.h"
#include "policy/rule_chain.h"

namespace p2pd {
namespace {

constexpr uint32_t kAccelerator = 0x030200;
constexpr uint32_t kEthernet = 0x020000;
constexpr uint32_t kNvme = 0x010802;

class MachinesTest : public ::testing::Test {
 protected:
  MachinesTest() {
    char name[] = "/tmp/p2pd-XXXXXX";
    sysfs_ = mkdtemp(name);
  }
  ~MachinesTest() override { std::filesystem::remove_all(sysfs_); }

  // What p2pd shows of the machine once it serves it; its ways are in `paths_`.
  std::vector<DeviceView> Serve(const std::string& name) {
    const auto kernel = SimKernel::CreateFromFile("deploy/simulation/" + name, {});
    EXPECT_TRUE(kernel.ok()) << kernel.status();
    if (!kernel.ok()) return {};
    EXPECT_TRUE((*kernel)->WriteSysfs(sysfs_).ok());
    ManualScheduler scheduler;
    MemoryJournal journal;
    BrokerOptions options;
    options.sysfs_root = sysfs_;
    options.cpuinfo = sysfs_ + "/proc/cpuinfo";
    Broker broker(options, **kernel, scheduler, journal, std::make_shared<const RuleChain>());
    const absl::Status started = broker.Start();
    EXPECT_TRUE(started.ok()) << started;
    for (const DeviceView& device : broker.ListDevices()) {
      EXPECT_EQ(device.state, DeviceState::kReady) << device.address.ToString() << " " << device.state_reason;
    }
    const auto topology = broker.GetTopology({});
    EXPECT_TRUE(topology.ok()) << topology.status();
    for (const PathVerdict& path : topology->paths) {
      paths_[{path.exporter.ToString(), path.importer.ToString()}] = path;
    }
    return broker.ListDevices();
  }

  std::string sysfs_;
  std::map<std::pair<std::string, std::string>, PathVerdict> paths_;
};

TEST_F(MachinesTest, TwoNvmeIsTheMachineOfTheVm) {
  const auto devices = Serve("two_nvme.textproto");
  std::map<uint32_t, int> classes;
  for (const DeviceView& device : devices) ++classes[device.class_code];
  EXPECT_EQ(devices.size(), 4u);
  EXPECT_EQ(classes[kNvme], 2);
}

TEST_F(MachinesTest, AcceleratorsHasEightOfThemAndFourNetworkAdapters) {
  const auto devices = Serve("accelerators.textproto");
  std::map<uint32_t, int> classes;
  std::map<std::string, int> contexts;
  for (const DeviceView& device : devices) {
    ++classes[device.class_code];
    ++contexts[device.context];
  }
  EXPECT_EQ(classes[kAccelerator], 8);
  EXPECT_EQ(classes[kEthernet], 4);
  EXPECT_EQ(classes[kNvme], 1);
  EXPECT_EQ(contexts.size(), 11u) << "one for each device, but one for all behind the switch without ACS";
  EXPECT_EQ(contexts["0000:ba:00.0"], 3);
}

TEST_F(MachinesTest, AcceleratorsHasSwitchesOnTwoSockets) {
  Serve("accelerators.textproto");
  EXPECT_EQ(paths_.size(), 13u * 13);
  const PathVerdict redirected = paths_[{"0000:1a:00.0", "0000:1c:00.0"}];
  EXPECT_EQ(redirected.kind, PathKind::kThroughHostBridge);
  EXPECT_EQ(redirected.relation, Relation::kSameSwitch);
  EXPECT_EQ(redirected.distance, 4);
  EXPECT_EQ(redirected.redirects.size(), 2u);
  const PathVerdict direct = paths_[{"0000:ba:00.0", "0000:bc:00.0"}];
  EXPECT_EQ(direct.kind, PathKind::kBusAddress);
  EXPECT_EQ(direct.relation, Relation::kSameSwitch);
  EXPECT_EQ((paths_[{"0000:1a:00.0", "0000:3a:00.0"}].relation), Relation::kSameHostBridge);
  const PathVerdict apart = paths_[{"0000:1a:00.0", "0000:9a:00.0"}];
  EXPECT_EQ(apart.kind, PathKind::kThroughHostBridge);
  EXPECT_EQ(apart.relation, Relation::kApart);
}

}  // namespace
}  // namespace p2pd
