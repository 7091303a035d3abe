// Devices of several IOMMU groups in one context, because the configuration says so: one address space holds
// them, one session drives them, and each still ends by itself.
#include "daemon/base/errors.h"
#include "daemon/core/testing/core_world.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr uint64_t kMiB = 1 << 20;

BrokerOptions Merged(std::vector<PciAddress> devices) {
  BrokerOptions options;
  options.merged_contexts = {{.devices = std::move(devices), .origin = "p2pd.conf:3:1"}};
  return options;
}

class MergedContextTest : public ::testing::Test {
 protected:
  absl::StatusOr<AddressSpaceView> SpaceOf(std::vector<PciAddress> devices) {
    return world_.Call(&Broker::CreateAddressSpace, client_, devices);
  }
  void DriveBoth() {
    world_.Drive(client_, CoreWorld::kEngine);
    world_.Drive(client_, CoreWorld::kEngine2);
  }
  MappingView MapInto(AddressSpaceId space) {
    return world_.Map(client_, world_.Export(client_, CoreWorld::kExporter, {0, kMiB}).id, space);
  }
  absl::StatusOr<DeviceView> Close(const PciAddress& device) {
    std::erase_if(client_.channel->grants,
                  [&](const auto& grant) { return grant.first == SessionChannel::Granted(device); });
    return world_.Call(&Broker::CloseDevice, client_, device);
  }
  bool Reaches(const PciAddress& engine) { return world_.Reaches(engine, CoreWorld::kExporter, 0); }
  DeviceView Device(const PciAddress& address) { return *world_.broker->GetDevice(address); }

  CoreWorld world_{Merged({CoreWorld::kEngine, CoreWorld::kEngine2})};
  Client client_ = world_.Connect(1000);
  Client other_ = world_.Connect(1001);
};

TEST_F(MergedContextTest, OneAddressSpaceHoldsDevicesOfTwoGroups) {
  ASSERT_NE(Device(CoreWorld::kEngine).iommu_group, Device(CoreWorld::kEngine2).iommu_group);
  EXPECT_EQ(Device(CoreWorld::kEngine).context, Device(CoreWorld::kEngine2).context);
  DriveBoth();
  const auto space = SpaceOf({CoreWorld::kEngine, CoreWorld::kEngine2});
  ASSERT_TRUE(space.ok()) << space.status();
  EXPECT_THAT(space->devices, ElementsAre(CoreWorld::kEngine, CoreWorld::kEngine2));
  MapInto(space->id);
  EXPECT_TRUE(Reaches(CoreWorld::kEngine));
  EXPECT_TRUE(Reaches(CoreWorld::kEngine2));
}

TEST_F(MergedContextTest, WithoutTheConfigurationTheyStayApart) {
  CoreWorld plain;
  const Client client = plain.Connect();
  plain.Drive(client, CoreWorld::kEngine);
  plain.Drive(client, CoreWorld::kEngine2);
  const auto space =
      plain.Call(&Broker::CreateAddressSpace, client, std::vector<PciAddress>{CoreWorld::kEngine, CoreWorld::kEngine2});
  EXPECT_EQ(space.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(MergedContextTest, OneSessionDrivesAllOfIt) {
  world_.Drive(client_, CoreWorld::kEngine);
  const auto refused = world_.Call(&Broker::OpenDevice, other_, CoreWorld::kEngine2);
  EXPECT_EQ(GetErrorInfo(refused.status()).reason, Reason::kDeviceBusy);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("of the same context is driven by sessions/"));
  world_.Drive(client_, CoreWorld::kEngine2);
}

TEST_F(MergedContextTest, ADriversEndLeavesItsSiblingsSpaceAndMappingsAlone) {
  DriveBoth();
  MapInto(SpaceOf({CoreWorld::kEngine})->id);
  const AddressSpaceView kept = *SpaceOf({CoreWorld::kEngine2});
  const MappingView mapping = world_.Map(client_, world_.Export(client_, CoreWorld::kExporter2, {0, kMiB}).id, kept.id);
  const int resets = world_.kernel->CallCount(sim::Verb::kResetDevice);
  const auto closed = Close(CoreWorld::kEngine);
  ASSERT_TRUE(closed.ok()) << closed.status();
  EXPECT_EQ(closed->state, DeviceState::kReady);
  EXPECT_EQ(world_.kernel->CallCount(sim::Verb::kResetDevice), resets + 1) << "the sibling is not reset";
  EXPECT_FALSE(Reaches(CoreWorld::kEngine));
  EXPECT_EQ(world_.broker->GetMapping(client_.id, mapping.id)->state, MappingState::kActive);
  EXPECT_TRUE(world_.Reaches(CoreWorld::kEngine2, CoreWorld::kExporter2, 0));
  EXPECT_EQ(Device(CoreWorld::kEngine2).driver, client_.id);
  const auto refused = world_.Call(&Broker::OpenDevice, other_, CoreWorld::kEngine);
  EXPECT_EQ(GetErrorInfo(refused.status()).reason, Reason::kDeviceBusy) << "the context is still the first session's";
}

TEST_F(MergedContextTest, ASharedAddressSpaceGoesWithTheFirstOfItsDrivers) {
  DriveBoth();
  MapInto(SpaceOf({CoreWorld::kEngine, CoreWorld::kEngine2})->id);
  ASSERT_TRUE(Close(CoreWorld::kEngine).ok());
  EXPECT_TRUE(world_.broker->ListAddressSpaces(client_.id).empty());
  EXPECT_FALSE(Reaches(CoreWorld::kEngine));
  EXPECT_FALSE(Reaches(CoreWorld::kEngine2));
  EXPECT_EQ(Device(CoreWorld::kEngine2).driver, client_.id);
}

TEST_F(MergedContextTest, ADeviceThatIsDrivenAgainJoinsItsSiblingAgain) {
  DriveBoth();
  ASSERT_TRUE(Close(CoreWorld::kEngine).ok());
  world_.Drive(client_, CoreWorld::kEngine);
  const auto space = SpaceOf({CoreWorld::kEngine, CoreWorld::kEngine2});
  ASSERT_TRUE(space.ok()) << space.status();
  MapInto(space->id);
  EXPECT_TRUE(Reaches(CoreWorld::kEngine));
  EXPECT_TRUE(Reaches(CoreWorld::kEngine2));
}

TEST_F(MergedContextTest, AResetOfOneRestoresWhatBothReach) {
  DriveBoth();
  const MappingView mapping = MapInto(SpaceOf({CoreWorld::kEngine, CoreWorld::kEngine2})->id);
  ASSERT_TRUE(world_.Try(&Broker::ResetDevice, client_, CoreWorld::kExporter).has_value() ||
              !client_.channel->quiesces.empty());
  for (const QuiesceNotice& notice : client_.channel->quiesces) world_.broker->AckQuiesce(client_.id, notice.operation);
  world_.scheduler.RunReady();
  EXPECT_EQ(world_.broker->GetMapping(client_.id, mapping.id)->iova.start, mapping.iova.start);
  EXPECT_TRUE(Reaches(CoreWorld::kEngine));
  EXPECT_TRUE(Reaches(CoreWorld::kEngine2));
}

TEST_F(MergedContextTest, TheNextSessionFindsNothingOfTheLast) {
  DriveBoth();
  MapInto(SpaceOf({CoreWorld::kEngine, CoreWorld::kEngine2})->id);
  client_.channel->grants.clear();
  world_.broker->EndSession(client_.id, "killed");
  world_.scheduler.RunReady();
  EXPECT_FALSE(Reaches(CoreWorld::kEngine));
  EXPECT_FALSE(Reaches(CoreWorld::kEngine2));
  EXPECT_EQ(world_.broker->GetStatus().address_spaces, 0u);
  world_.Drive(other_, CoreWorld::kEngine);
  world_.Drive(other_, CoreWorld::kEngine2);
}

TEST(MergedContextOfUnknownDevicesTest, StopsTheStartAndNamesThePlace) {
  CoreWorld world;
  BrokerOptions options = Merged({CoreWorld::kEngine, PciAddress{.bus = 9}});
  options.sysfs_root = world.sysfs();
  Broker broker(options, *world.kernel, world.scheduler, world.journal, world.policy);
  const absl::Status status = broker.Start();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()),
              StartsWith("p2pd.conf:3:1: merged context of devices/0000:09:00.0: p2pd manages no such device"));
}

TEST(MergedContextOfUnknownDevicesTest, ADeviceThatIsThereButNotManagedIsRefusedToo) {
  CoreWorld world;
  BrokerOptions options = Merged({CoreWorld::kEngine, CoreWorld::kEngine2});
  options.sysfs_root = world.sysfs();
  options.managed = {CoreWorld::kEngine};
  Broker broker(options, *world.kernel, world.scheduler, world.journal, world.policy);
  EXPECT_EQ(broker.Start().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace p2pd
