// Resets of all that shares a bus: quiesced, unmapped, reset by one call, restored.
#include <fcntl.h>

#include <algorithm>

#include "daemon/base/errors.h"
#include "daemon/core/testing/core_world.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr uint64_t kPage = 4096;

class BusResetTest : public ::testing::Test {
 protected:
  BusResetTest() {
    world_.Drive(driver_, CoreWorld::kTwin);
    world_.Drive(driver_, CoreWorld::kOtherTwin);
    world_.Drive(importer_, CoreWorld::kEngine);
    space_ = world_.Space(importer_, CoreWorld::kEngine);
    for (const PciAddress& twin : {CoreWorld::kTwin, CoreWorld::kOtherTwin}) {
      mappings_.push_back(world_.Map(importer_, world_.Export(importer_, twin, {0, kPage}, 0).id, space_.id));
    }
  }

  // Begins one; its outcome arrives in reset_.
  void Begin() {
    world_.broker->ResetDevice(driver_.id, world_.NextRequest(), ResetArgs(CoreWorld::kTwin, ResetScope::kBus),
                               [this](absl::StatusOr<OperationView> got) { reset_ = std::move(got); });
    world_.scheduler.RunReady();
  }
  void Ack() {
    world_.broker->AckQuiesce(importer_.id, importer_.channel->quiesces.back().operation);
    world_.scheduler.RunReady();
  }
  bool Reaches(const PciAddress& twin) { return world_.kernel->CanReach(CoreWorld::kEngine, twin, 0, 0); }
  DeviceView Device(const PciAddress& twin) { return *world_.broker->GetDevice(twin); }
  MappingState State(size_t i) { return world_.broker->GetMapping(importer_.id, mappings_[i].id)->state; }

  CoreWorld world_;
  Client driver_ = world_.Connect(1000);
  Client importer_ = world_.Connect(1001);
  AddressSpaceView space_;
  std::vector<MappingView> mappings_;
  std::optional<absl::StatusOr<OperationView>> reset_;
};

TEST_F(BusResetTest, AsksTheUsersOfEveryDeviceOnce) {
  Begin();
  ASSERT_EQ(importer_.channel->quiesces.size(), 1u);
  EXPECT_THAT(importer_.channel->quiesces[0].devices, ElementsAre(CoreWorld::kTwin, CoreWorld::kOtherTwin));
  EXPECT_THAT(importer_.channel->quiesces[0].mappings, ElementsAre(mappings_[0].id, mappings_[1].id));
  EXPECT_EQ(Device(CoreWorld::kOtherTwin).state, DeviceState::kQuiescing);
}

TEST_F(BusResetTest, TakesOneCallAndEveryMappingComesBack) {
  const int calls = world_.kernel->CallCount(sim::Verb::kHotReset);
  const int functions = world_.kernel->CallCount(sim::Verb::kResetDevice);
  Begin();
  Ack();
  ASSERT_TRUE(reset_.has_value() && reset_->ok()) << reset_->status();
  EXPECT_EQ((*reset_)->state, OperationState::kSucceeded) << (*reset_)->error;
  EXPECT_THAT((*reset_)->devices, ElementsAre(CoreWorld::kTwin, CoreWorld::kOtherTwin));
  EXPECT_EQ(world_.kernel->CallCount(sim::Verb::kHotReset), calls + 1);
  EXPECT_EQ(world_.kernel->CallCount(sim::Verb::kResetDevice), functions);
  for (const size_t i : {0, 1}) {
    EXPECT_EQ(State(i), MappingState::kActive);
    EXPECT_EQ(world_.broker->GetMapping(importer_.id, mappings_[i].id)->iova, mappings_[i].iova);
  }
  EXPECT_TRUE(Reaches(CoreWorld::kTwin) && Reaches(CoreWorld::kOtherTwin));
}

TEST_F(BusResetTest, EachDeviceIsReadyWhenItsDriverSaysSo) {
  Begin();
  Ack();
  EXPECT_EQ(Device(CoreWorld::kTwin).state, DeviceState::kAwaitingDriver);
  EXPECT_EQ(Device(CoreWorld::kOtherTwin).state, DeviceState::kAwaitingDriver);
  EXPECT_TRUE(importer_.channel->resumes.empty());
  const uint64_t generation = Device(CoreWorld::kOtherTwin).generation;
  ASSERT_TRUE(world_.Call(&Broker::DeviceReady, driver_, CoreWorld::kOtherTwin, generation).ok());
  ASSERT_EQ(importer_.channel->resumes.size(), 1u);
  EXPECT_EQ(importer_.channel->resumes[0].device, CoreWorld::kOtherTwin);
  EXPECT_EQ(importer_.channel->resumes[0].restored, 1u) << "the other's is the other's";
}

TEST_F(BusResetTest, AFailedOneHasRevokedTooAndTheMappingsComeBack) {
  world_.kernel->FailNth(sim::Verb::kHotReset, 1, EAGAIN);
  world_.kernel->FailNth(sim::Verb::kHotReset, 2, EAGAIN);
  world_.kernel->FailNth(sim::Verb::kHotReset, 3, EAGAIN);
  Begin();
  Ack();
  ASSERT_TRUE(reset_.has_value() && reset_->ok());
  EXPECT_EQ((*reset_)->state, OperationState::kFailed);
  EXPECT_THAT((*reset_)->error, HasSubstr("VFIO_DEVICE_PCI_HOT_RESET"));
  EXPECT_TRUE(Reaches(CoreWorld::kTwin) && Reaches(CoreWorld::kOtherTwin));
}

TEST_F(BusResetTest, OneThatIsOnlyBusyIsTriedAgain) {
  world_.kernel->FailNth(sim::Verb::kHotReset, 1, EBUSY);
  Begin();
  Ack();
  ASSERT_TRUE(reset_.has_value() && reset_->ok());
  EXPECT_EQ((*reset_)->state, OperationState::kSucceeded) << (*reset_)->error;
}

TEST_F(BusResetTest, WhoDoesNotDriveThemAllNeedsPolicyForTheRest) {
  world_.policy->denied = {Action::kReset};
  Begin();
  Ack();
  EXPECT_TRUE(reset_.has_value() && reset_->ok()) << "it drives them all";
  const auto refused = world_.Call(&Broker::ResetDevice, importer_, ResetArgs(CoreWorld::kTwin, ResetScope::kBus));
  EXPECT_TRUE(absl::IsPermissionDenied(refused.status()));
}

TEST(BusResetRightTest, WhoDrivesTheNamedDeviceAloneNeedsPolicyForItsSibling) {
  CoreWorld world;
  const Client driver = world.Connect(1000);
  world.Drive(driver, CoreWorld::kTwin);
  const uint64_t generation = world.broker->GetDevice(CoreWorld::kTwin)->generation;
  world.policy->denied = {Action::kReset};
  const auto refused = world.Call(&Broker::ResetDevice, driver, ResetArgs(CoreWorld::kTwin, ResetScope::kBus));
  EXPECT_TRUE(absl::IsPermissionDenied(refused.status())) << refused.status();
  EXPECT_EQ(GetErrorInfo(refused.status()).object, "devices/0000:05:00.1");
  EXPECT_EQ(world.broker->GetDevice(CoreWorld::kTwin)->generation, generation) << "nothing was revoked";
}

TEST_F(BusResetTest, ADeviceOnTheRootBusHasNone) {
  const auto refused = world_.Call(&Broker::ResetDevice, driver_, ResetArgs(CoreWorld::kNoReset, ResetScope::kBus));
  EXPECT_FALSE(refused.ok());
  EXPECT_EQ(GetErrorInfo(refused.status()).step, "VFIO_DEVICE_GET_PCI_HOT_RESET_INFO");
}

TEST_F(BusResetTest, WhatStandsInTheWayIsNamedAndNothingIsRevoked) {
  world_.broker->EndSession(driver_.id, "dies with the fds in somebody's hands");
  world_.scheduler.Advance(absl::Seconds(3));
  ASSERT_EQ(Device(CoreWorld::kTwin).state, DeviceState::kTainted);
  const Client admin = world_.Connect(0);
  std::erase_if(driver_.channel->grants,
                [](const auto& grant) { return std::get<PciAddress>(grant.first) == CoreWorld::kTwin; });
  world_.scheduler.Advance(absl::Seconds(1));
  ASSERT_EQ(Device(CoreWorld::kTwin).state, DeviceState::kReady);
  const uint64_t generation = Device(CoreWorld::kTwin).generation;
  const auto refused = world_.Call(&Broker::ResetDevice, admin, ResetArgs(CoreWorld::kTwin, ResetScope::kBus));
  EXPECT_TRUE(absl::IsFailedPrecondition(refused.status()));
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("0000:05:00.1 is TAINTED"));
  EXPECT_EQ(Device(CoreWorld::kTwin).generation, generation);
}

}  // namespace
}  // namespace p2pd
