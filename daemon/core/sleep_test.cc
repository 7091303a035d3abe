// Before the system sleeps nothing is mapped; afterwards everything is back, or said to be lost.
#include <optional>

#include "daemon/base/errors.h"
#include "daemon/core/testing/mapped_test.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;

class SleepTest : public MappedTest {
 protected:
  using MappedTest::MappedTest;

  void Sleep() {
    world_.broker->Sleep([this] { ++asleep_; });
    world_.scheduler.RunReady();
  }
  void SleepSoundly() {
    Sleep();
    Ack(driver_);
    Ack(importer_);
    EXPECT_EQ(asleep_, 1);
  }
  void Wake() {
    world_.broker->Wake();
    world_.scheduler.RunReady();
  }
  // Of what the importer was asked last to stop for.
  OperationView Receipt() {
    const OperationId last = importer_.channel->quiesces.back().operation;
    return world_.broker->GetOperation(importer_.id, last).value_or(OperationView());
  }

  int asleep_ = 0;
};

TEST_F(SleepTest, EverybodyIsAskedAndNothingIsMappedWhenItMayBegin) {
  Sleep();
  EXPECT_EQ(asleep_, 0);
  EXPECT_TRUE(Reaches());
  Ack(driver_);
  EXPECT_EQ(asleep_, 0);
  Ack(importer_);
  EXPECT_EQ(asleep_, 1);
  EXPECT_FALSE(Reaches());
  EXPECT_EQ(Mapping().state, MappingState::kSuspended);
  EXPECT_EQ(Receipt().kind, OperationKind::kSleep);
  EXPECT_EQ(Receipt().state, OperationState::kRunning);
}

TEST_F(SleepTest, MappingsAreBackAtTheirIovasAndDriversSetTheirDevicesUpAgain) {
  SleepSoundly();
  world_.scheduler.Advance(absl::Hours(8));
  EXPECT_FALSE(Reaches());
  Wake();
  EXPECT_TRUE(Reaches());
  EXPECT_EQ(Mapping().state, MappingState::kActive);
  EXPECT_EQ(Mapping().iova, mapping_.iova);
  EXPECT_EQ(Device().state, DeviceState::kAwaitingDriver);
  EXPECT_EQ(Device(CoreWorld::kEngine).state, DeviceState::kAwaitingDriver);
  EXPECT_TRUE(importer_.channel->resumes.empty());
  Ready(driver_, CoreWorld::kExporter);
  ASSERT_EQ(importer_.channel->resumes.size(), 1u);
  EXPECT_EQ(importer_.channel->resumes[0].restored, 1u);
  EXPECT_EQ(Receipt().state, OperationState::kSucceeded) << Receipt().error;
  EXPECT_EQ(asleep_, 1);
}

TEST_F(SleepTest, TheReceiptHasTheSleepAmongItsSteps) {
  SleepSoundly();
  world_.scheduler.Advance(absl::Hours(8));
  Wake();
  std::vector<std::string> steps;
  for (const OperationStep& step : Receipt().steps) steps.push_back(step.what);
  EXPECT_THAT(steps, ::testing::IsSupersetOf({"quiesce", "unmap 1", "sleep", "restore"}));
  EXPECT_GE(Receipt().took, absl::Hours(8));
}

TEST_F(SleepTest, NothingIsGrantedMeanwhileAndTheRefusalSaysWhy) {
  SleepSoundly();
  const auto refuses = [](const absl::Status& status) {
    EXPECT_EQ(GetErrorInfo(status).reason, Reason::kDeviceNotReady) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("about to sleep"));
  };
  refuses(world_.Call(&Broker::Map, importer_, MapArgs{.source = window_.id, .address_space = space_.id}).status());
  refuses(world_.Call(&Broker::OpenDevice, driver_, CoreWorld::kExporter2).status());
  const Window window = {.device = CoreWorld::kExporter2, .bar = 2, .range = {0, kMiB}};
  refuses(world_.Call(&Broker::CreateExport, importer_, window, Grade::kMapped).status());
  Wake();
  Ready(driver_, CoreWorld::kExporter);
  world_.Map(importer_, window_.id, space_.id);
  world_.Drive(driver_, CoreWorld::kExporter2);
}

TEST_F(SleepTest, ADeviceThatNobodyUsesHasNoPartInIt) {
  const uint64_t generation = Device(CoreWorld::kExporter2).generation;
  SleepSoundly();
  Wake();
  EXPECT_EQ(Device(CoreWorld::kExporter2).generation, generation);
  EXPECT_THAT(Receipt().devices, ::testing::ElementsAre(CoreWorld::kExporter, CoreWorld::kEngine));
}

TEST_F(SleepTest, WhatCannotComeBackIsSaidToBeLost) {
  SleepSoundly();
  world_.kernel->FailNth(sim::Verb::kMapFile, 1, ENODEV);
  Wake();
  EXPECT_EQ(Mapping().state, MappingState::kLost);
  ASSERT_EQ(Receipt().mappings.size(), 1u);
  EXPECT_EQ(Receipt().mappings[0].state, MappingState::kLost);
  EXPECT_THAT(Receipt().mappings[0].reason, HasSubstr("ENODEV"));
}

TEST_F(SleepTest, ADeviceWhoseConfigurationIsNotBackIsBoundAnew) {
  SleepSoundly();
  driver_.channel->grants.clear();  // closed in time, as it will be told
  ASSERT_TRUE(world_.kernel->InjectError(CoreWorld::kExporter, sim::ErrorSeverity::kFatal));
  world_.EndRecovery(CoreWorld::kExporter);
  Wake();
  EXPECT_THAT(driver_.channel->revoked, ::testing::ElementsAre(CoreWorld::kExporter));
  EXPECT_EQ(Device().state, DeviceState::kReady) << Device().state_reason;
  EXPECT_TRUE(Reaches());
  EXPECT_EQ(Mapping().iova, mapping_.iova);
}

TEST_F(SleepTest, WhoDoesNotAnswerIsCutOffAndComesBackWhenItHasStopped) {
  Sleep();
  Ack(driver_);
  world_.scheduler.Advance(absl::Seconds(2));
  EXPECT_EQ(asleep_, 1);
  EXPECT_FALSE(Reaches());
  Wake();
  EXPECT_FALSE(Reaches());
  Ack(importer_);
  EXPECT_TRUE(Reaches());
}

class PatientSleepTest : public SleepTest {
 protected:
  PatientSleepTest() : SleepTest({.quiesce_deadline = absl::Minutes(1)}) {}
};

TEST_F(PatientSleepTest, TheDeadlineIsNoLongerThanTheSystemWaits) {
  Sleep();
  world_.scheduler.Advance(absl::Seconds(2));
  EXPECT_EQ(asleep_, 1);
}

TEST_F(SleepTest, OneThatIsCalledOffPutsEverythingBack) {
  Sleep();
  Wake();
  Ack(driver_);
  Ack(importer_);
  EXPECT_TRUE(Reaches());
  EXPECT_EQ(Receipt().state, OperationState::kSucceeded);
  EXPECT_EQ(asleep_, 0) << "nobody waits for that any more";
}

TEST_F(SleepTest, AnOperationThatIsUnderWayIsFollowedByIt) {
  world_.broker->ResetDevice(driver_.id, "reset", CoreWorld::kExporter, [](absl::StatusOr<OperationView>) {});
  world_.scheduler.RunReady();
  const OperationId reset = importer_.channel->quiesces.back().operation;
  Sleep();
  Ack(importer_);  // for its device
  ASSERT_NE(importer_.channel->quiesces.back().operation, reset);
  EXPECT_EQ(asleep_, 0);
  world_.broker->AckQuiesce(importer_.id, reset);
  world_.scheduler.RunReady();
  EXPECT_EQ(asleep_, 0) << "the reset has put the mapping back";
  Ack(importer_);
  Ack(driver_);
  EXPECT_EQ(asleep_, 1);
  EXPECT_FALSE(Reaches());
}

TEST_F(SleepTest, ASessionThatEndsMeanwhileLeavesNothing) {
  SleepSoundly();
  importer_.channel->grants.clear();
  world_.broker->EndSession(importer_.id, "killed");
  world_.scheduler.RunReady();
  Wake();
  EXPECT_FALSE(Reaches());
  EXPECT_EQ(world_.broker->GetStatus().mappings, 0u);
  EXPECT_EQ(Device(CoreWorld::kEngine).state, DeviceState::kReady);
}

TEST_F(SleepTest, P2pdCanStopMeanwhile) {
  SleepSoundly();
  bool stopped = false;
  world_.broker->Stop([&] { stopped = true; });
  world_.scheduler.Advance(absl::Seconds(5));
  EXPECT_TRUE(stopped);
}

TEST_F(SleepTest, WakingWhatDidNotSleepChangesNothing) {
  const uint64_t generation = Device().generation;
  Wake();
  EXPECT_EQ(Device().generation, generation);
  EXPECT_TRUE(Reaches());
}

TEST(SleepWithoutDevicesTest, MayBeginAtOnce) {
  CoreWorld world;
  bool asleep = false;
  world.broker->Sleep([&] { asleep = true; });
  world.scheduler.RunReady();
  EXPECT_TRUE(asleep) << "nobody drives any of them";
}

}  // namespace
}  // namespace p2pd
