// A successor that cannot trust what was left: nothing that was granted stays, and p2pd serves again.
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/crash/crash_world.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;

class DistrustTest : public ::testing::Test {
 protected:
  void SetUp() override { Grant("first"); }

  // A mapping of the exporter for the engine, which a new client drives.
  void Grant(const std::string& round) {
    client_ = world_.Connect(1000);
    const auto ask = [&](const char* what) { return absl::StrCat(round, " ", what); };
    const auto opened = world_.Ask(*client_, ask("open"), &Broker::OpenDevice, CoreWorld::kEngine);
    ASSERT_TRUE(opened.ok()) << opened.status();
    ASSERT_TRUE(world_.Ask(*client_, ask("ready"), &Broker::DeviceReady, CoreWorld::kEngine, opened->generation).ok());
    const auto space =
        world_.Ask(*client_, ask("space"), &Broker::CreateAddressSpace, std::vector<PciAddress>{CoreWorld::kEngine});
    const Window window = {.device = CoreWorld::kExporter, .bar = 2, .range = {0, 1 << 16}};
    const auto source = world_.Ask(*client_, ask("export"), &Broker::CreateExport, window, Terms());
    ASSERT_TRUE(space.ok() && source.ok());
    const auto mapping =
        world_.Ask(*client_, ask("map"), &Broker::Map, MapArgs{.source = source->id, .address_space = space->id});
    ASSERT_TRUE(mapping.ok()) << mapping.status();
    ASSERT_TRUE(Reaches());
  }
  bool Reaches() { return world_.kernel().CanReach(CoreWorld::kEngine, CoreWorld::kExporter, 2, 0); }

  void ExpectNothingLeft(const std::string& why) {
    EXPECT_FALSE(Reaches());
    const StatusView status = world_.broker().GetStatus();
    EXPECT_EQ(status.sessions + status.exports + status.address_spaces + status.mappings, 0u);
    EXPECT_THAT(world_.broker().Continuity().detail, HasSubstr(why));
    EXPECT_EQ(world_.store().names(), std::vector<std::string>{kJournalFdName});
    for (const DeviceView& device : world_.broker().ListDevices()) EXPECT_EQ(device.state, DeviceState::kReady);
    client_->grants.clear();
    Grant("second");
  }

  CrashWorld world_{0, 0};
  std::shared_ptr<CrashChannel> client_;
};

TEST_F(DistrustTest, AJournalThatIsWholeKeepsEverything) {
  world_.Boot(0);
  EXPECT_TRUE(Reaches());
  EXPECT_EQ(world_.broker().GetStatus().mappings, 1u);
  EXPECT_TRUE(world_.broker().Continuity().available);
  EXPECT_EQ(world_.broker().Continuity().detail, "the journal is in order");
}

TEST_F(DistrustTest, ADamagedJournalLeavesNothing) {
  {
    const LiveJournal journal = world_.Journal();
    journal.Flip(4096 + 100, 0);  // in the first of its records, in whichever half they are
    journal.Flip(4096 + (256 << 10) + 100, 0);
  }
  client_->grants.clear();
  world_.Boot(0);
  ExpectNothingLeft("taken down");
}

TEST_F(DistrustTest, AMissingContextLeavesNothing) {
  ASSERT_TRUE(world_.store().Remove(ContextFdName(CoreWorld::kEngine)).ok());
  client_->grants.clear();
  world_.Boot(0);
  ExpectNothingLeft("ctx-0000-02-00.0 is missing");
}

// The driver of both ends has descriptors of its own, which nobody can take: that p2pd closes its own ends nothing.
TEST_F(DistrustTest, ADriverThatHoldsItsDeviceIsCutOffAllTheSame) {
  ASSERT_TRUE(world_.Ask(*client_, "open the exporter", &Broker::OpenDevice, CoreWorld::kExporter).ok());
  ASSERT_TRUE(world_.store().Remove(ContextFdName(CoreWorld::kEngine)).ok());
  world_.Boot(0);
  EXPECT_FALSE(Reaches());
  EXPECT_EQ(world_.broker().GetDevice(CoreWorld::kEngine)->state, DeviceState::kFaulted);
  EXPECT_EQ(world_.broker().GetStatus().mappings, 0u);
}

TEST_F(DistrustTest, ADescriptorOfAnotherDeviceLeavesNothing) {
  const UniqueFd exporter = world_.store().Take(DeviceFdName(CoreWorld::kExporter));
  ASSERT_TRUE(world_.store().Remove(DeviceFdName(CoreWorld::kEngine)).ok());
  ASSERT_TRUE(world_.store().Put(DeviceFdName(CoreWorld::kEngine), exporter).ok());
  client_->grants.clear();
  world_.Boot(0);
  EXPECT_FALSE(Reaches());
  EXPECT_EQ(world_.broker().GetStatus().sessions, 0u);
  EXPECT_THAT(world_.broker().Continuity().detail, HasSubstr("is of devices/0000:01:00.0"));
}

TEST_F(DistrustTest, AFullStoreRefusesTheDriver) {
  const auto other = world_.Connect(1001);
  world_.store().FailNext(absl::ResourceExhaustedError("the store is full"));
  const auto refused = world_.Ask(*other, "open", &Broker::OpenDevice, CoreWorld::kEngine2);
  EXPECT_TRUE(absl::IsResourceExhausted(refused.status())) << refused.status();
  EXPECT_TRUE(other->grants.empty());
  EXPECT_TRUE(world_.Ask(*other, "open again", &Broker::OpenDevice, CoreWorld::kEngine2).ok());
}

}  // namespace
}  // namespace p2pd
