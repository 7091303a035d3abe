// Devices that are FAULTED, and their way back.
#include "daemon/base/errors.h"
#include "daemon/core/testing/core_world.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

class RecoveryTest : public ::testing::Test {
 protected:
  // A driver's end whose bind fails in a way that nobody can wait out.
  void Fault() {
    world_.Drive(driver_, CoreWorld::kEngine);
    driver_.channel->grants.clear();
    world_.kernel->FailNth(sim::Verb::kBindDevice, 1, EPERM);
    world_.broker->EndSession(driver_.id, "ends");
    world_.scheduler.RunReady();
    ASSERT_EQ(Engine().state, DeviceState::kFaulted);
  }
  DeviceView Engine() { return *world_.broker->GetDevice(CoreWorld::kEngine); }

  CoreWorld world_;
  Client driver_ = world_.Connect(1000);
  Client other_ = world_.Connect(1001);
};

TEST_F(RecoveryTest, AFaultedDeviceIsBoundAfreshAndCanBeDriven) {
  Fault();
  const auto recovered = world_.Call(&Broker::RecoverDevice, other_, CoreWorld::kEngine);
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_EQ(recovered->kind, OperationKind::kRecovery);
  EXPECT_EQ(recovered->state, OperationState::kSucceeded);
  EXPECT_EQ(Engine().state, DeviceState::kReady);
  world_.Drive(other_, CoreWorld::kEngine);
}

TEST_F(RecoveryTest, OneThatFailsAgainSaysWhy) {
  Fault();
  world_.kernel->FailNth(sim::Verb::kBindDevice, 1, EPERM);
  const auto tried = world_.Call(&Broker::RecoverDevice, other_, CoreWorld::kEngine);
  ASSERT_TRUE(tried.ok()) << tried.status();
  EXPECT_EQ(tried->state, OperationState::kFailed);
  EXPECT_THAT(tried->error, ::testing::HasSubstr("VFIO_DEVICE_BIND_IOMMUFD"));
  EXPECT_EQ(Engine().state, DeviceState::kFaulted);
  EXPECT_THAT(Engine().state_reason, ::testing::HasSubstr("VFIO_DEVICE_BIND_IOMMUFD"));
}

TEST_F(RecoveryTest, ADeviceThatWorksHasNothingToRecover) {
  const auto refused = world_.Call(&Broker::RecoverDevice, other_, CoreWorld::kEngine);
  EXPECT_EQ(GetErrorInfo(refused.status()).reason, Reason::kDeviceUnusable);
  EXPECT_TRUE(absl::IsFailedPrecondition(refused.status()));
}

TEST_F(RecoveryTest, ItNeedsTheResetAction) {
  Fault();
  world_.policy->denied = {Action::kReset};
  EXPECT_TRUE(absl::IsPermissionDenied(world_.Call(&Broker::RecoverDevice, other_, CoreWorld::kEngine).status()));
  EXPECT_EQ(Engine().state, DeviceState::kFaulted);
}

}  // namespace
}  // namespace p2pd
