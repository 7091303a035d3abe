// A driver that turns the memory decode of its device off by itself: the kernel revokes everything of it and tells
// nobody. Where that shows, it is put right.
#include "daemon/base/errors.h"
#include "daemon/core/testing/mapped_test.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;

class DecodeTest : public MappedTest {
 protected:
  void WriteCommand(uint8_t command) {
    ASSERT_TRUE(
        world_.kernel->WriteConfig(driver_.channel->grants[0].second, 4, std::vector<uint8_t>{command, 0}).ok());
  }
  auto MapAgain() {
    return world_.Call(&Broker::Map, importer_, MapArgs{.source = window_.id, .address_space = space_.id});
  }
};

TEST_F(DecodeTest, TheNextMapOfTheDeviceShowsItAndWhatIsDeadNoLongerCountsAsActive) {
  WriteCommand(0);
  ASSERT_FALSE(Reaches());
  EXPECT_FALSE(MapAgain().ok());
  EXPECT_EQ(Mapping().state, MappingState::kSuspended);
  ASSERT_EQ(importer_.channel->quiesces.size(), 1u);
  EXPECT_EQ(Last().kind, OperationKind::kDeviceError);
  EXPECT_THAT(Mapping().state_reason, HasSubstr("memory decode turned off"));
}

TEST_F(DecodeTest, DecodeIsTurnedOnAndTheMappingsComeBackWithItsDriver) {
  WriteCommand(0);
  MapAgain().status().IgnoreError();
  Ack(importer_);
  EXPECT_TRUE(Reaches());
  EXPECT_EQ(Mapping().iova, mapping_.iova);
  EXPECT_EQ(Device().driver, driver_.id);
  EXPECT_EQ(Device().state, DeviceState::kAwaitingDriver);
  Ready(driver_);
  EXPECT_TRUE(MapAgain().ok());
}

TEST_F(DecodeTest, ADriverIsNotReadyWhileItIsOff) {
  WriteCommand(0);
  const uint64_t generation = Device().generation;
  const auto ready = world_.Call(&Broker::DeviceReady, driver_, CoreWorld::kExporter, generation);
  EXPECT_EQ(GetErrorInfo(ready.status()).reason, Reason::kStaleGeneration);
  EXPECT_THAT(std::string(ready.status().message()), HasSubstr("memory decode is off"));
  EXPECT_EQ(Device().generation, generation + 1);
  Ack(importer_);
  Ready(driver_);
  EXPECT_EQ(Device().state, DeviceState::kReady);
  EXPECT_TRUE(Reaches());
}

TEST_F(DecodeTest, AMapThatFailsOtherwiseIsNoReasonToTakeAnythingAway) {
  world_.kernel->FailNth(sim::Verb::kMapFile, 1, EINVAL);
  EXPECT_FALSE(MapAgain().ok());
  EXPECT_TRUE(Reaches());
  EXPECT_TRUE(importer_.channel->quiesces.empty());
}

}  // namespace
}  // namespace p2pd
