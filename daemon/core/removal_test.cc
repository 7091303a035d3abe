// Devices that the kernel takes back, and that return.
#include <algorithm>
#include <filesystem>
#include <iterator>

#include "daemon/base/errors.h"
#include "daemon/core/testing/mapped_test.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

int OpenFds() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<int>(std::distance(begin(all), end(all)));
}

class RemovalTest : public MappedTest {
 protected:
  void Unbind() {
    world_.kernel->Unbind(CoreWorld::kExporter);
    world_.RunSignals();
  }
  void Return() {
    ASSERT_TRUE(world_.kernel->Return(CoreWorld::kExporter));
    world_.broker->Rescan();
    world_.scheduler.RunReady();
  }
};

TEST_F(RemovalTest, UsersHaveAShortTimeAndTheDriverIsToldToClose) {
  Unbind();
  ASSERT_EQ(importer_.channel->quiesces.size(), 1u);
  EXPECT_EQ(importer_.channel->quiesces[0].deadline - world_.scheduler.Now(), absl::Milliseconds(500));
  EXPECT_THAT(driver_.channel->revoked, ElementsAre(CoreWorld::kExporter));
  EXPECT_TRUE(Reaches());
  world_.scheduler.Advance(absl::Milliseconds(500));
  EXPECT_FALSE(Reaches());
  EXPECT_EQ(Device().state, DeviceState::kGone);
}

TEST_F(RemovalTest, TheDeviceIsResetAndItsLastCopyClosed) {
  const int resets = world_.kernel->CallCount(sim::Verb::kResetDevice);
  driver_.channel->grants.clear();
  Unbind();
  world_.scheduler.Advance(absl::Milliseconds(500));
  world_.kernel->Step();
  EXPECT_TRUE(world_.kernel->HasLeft(CoreWorld::kExporter)) << "whoever unbinds it is let go on";
  EXPECT_EQ(world_.kernel->CallCount(sim::Verb::kResetDevice), resets + 1);
  const OperationView last = world_.broker->ListOperations(importer_.id).back();
  EXPECT_EQ(last.kind, OperationKind::kUnplug);
  EXPECT_EQ(last.state, OperationState::kSucceeded) << last.error;
  for (const OperationStep& step : last.steps) EXPECT_EQ(step.error, "") << step.what;
}

TEST_F(RemovalTest, WhatIsUnboundBeforeItCanBeBoundAnewIsGoneAndFoundOnItsReturn) {
  driver_.channel->grants.clear();
  world_.kernel->Unbind(CoreWorld::kExporter);  // of which p2pd has not heard yet
  importer_.channel->on_quiesce = [&](const QuiesceNotice& notice) {
    world_.broker->AckQuiesce(importer_.id, notice.operation);
  };
  EXPECT_TRUE(world_.Call(&Broker::CloseDevice, driver_, CoreWorld::kExporter).ok());
  EXPECT_EQ(Device().state, DeviceState::kGone) << Device().state_reason;
  world_.kernel->Step();
  Return();
  EXPECT_EQ(Device().state, DeviceState::kReady) << Device().state_reason;
  world_.Drive(driver_, CoreWorld::kExporter);
}

TEST_F(RemovalTest, EverythingThatRestedOnItIsGone) {
  driver_.channel->grants.clear();
  Unbind();
  world_.scheduler.Advance(absl::Milliseconds(500));
  EXPECT_TRUE(absl::IsNotFound(world_.broker->GetExport(importer_.id, window_.id).status()));
  EXPECT_TRUE(absl::IsNotFound(world_.broker->GetMapping(importer_.id, mapping_.id).status()));
  EXPECT_TRUE(world_.broker->GetAddressSpace(importer_.id, space_.id).ok()) << "it is the importer's own";
  const auto refused = world_.Call(&Broker::OpenDevice, driver_, CoreWorld::kExporter);
  EXPECT_EQ(GetErrorInfo(refused.status()).reason, Reason::kDeviceUnusable);
}

TEST_F(RemovalTest, WhoeverHoldsOnToItIsNamedUntilItLetsGo) {
  world_.holders = {{.pid = 4711, .comm = "hoarder"}};
  Unbind();
  world_.scheduler.Advance(absl::Milliseconds(500));
  EXPECT_EQ(Device().state, DeviceState::kGone);
  EXPECT_THAT(Device().state_reason, HasSubstr("waits: hoarder (pid 4711) still holds its fd"));
  EXPECT_FALSE(world_.kernel->HasLeft(CoreWorld::kExporter));
  driver_.channel->grants.clear();
  world_.holders.clear();
  world_.scheduler.Advance(absl::Seconds(1));
  world_.kernel->Step();
  EXPECT_TRUE(Device().holders.empty());
  EXPECT_TRUE(world_.kernel->HasLeft(CoreWorld::kExporter));
}

TEST_F(RemovalTest, ItReturnsWithNoOldRight) {
  driver_.channel->grants.clear();
  const uint64_t generation = Device().generation;
  Unbind();
  world_.scheduler.Advance(absl::Milliseconds(500));
  world_.kernel->Step();
  Return();
  EXPECT_EQ(Device().state, DeviceState::kReady) << Device().state_reason;
  EXPECT_FALSE(Device().driver.has_value());
  EXPECT_GT(Device().generation, generation + 1);
  EXPECT_FALSE(Reaches());
  world_.Drive(driver_, CoreWorld::kExporter);
  world_.Map(importer_, world_.Export(importer_, CoreWorld::kExporter, {0, kMiB}).id, space_.id);
  EXPECT_TRUE(Reaches());
}

TEST_F(RemovalTest, OneThatCannotBeBoundOnItsReturnIsFaultedAndCanBeRecovered) {
  driver_.channel->grants.clear();
  Unbind();
  world_.scheduler.Advance(absl::Milliseconds(500));
  world_.kernel->Step();
  world_.kernel->FailNth(sim::Verb::kBindDevice, 1, EPERM);
  Return();
  EXPECT_EQ(Device().state, DeviceState::kFaulted);
  EXPECT_TRUE(world_.Call(&Broker::RecoverDevice, driver_, CoreWorld::kExporter).ok());
  EXPECT_EQ(Device().state, DeviceState::kReady);
}

TEST_F(RemovalTest, AWindowOfItIsNotReadyWhateverActionItWouldTake) {
  driver_.channel->grants.clear();
  Unbind();
  world_.scheduler.Advance(absl::Milliseconds(500));
  world_.policy->denied = {Action::kExport};
  const Window registers = {.device = CoreWorld::kExporter, .bar = 0, .range = {0, 4096}};
  const auto refused = world_.Call(&Broker::CreateExport, importer_, registers, Grade::kMapped);
  EXPECT_EQ(GetErrorInfo(refused.status()).reason, Reason::kDeviceNotReady) << refused.status();
}

TEST_F(RemovalTest, AContextThatAllHaveLeftIsClosed) {
  const int fds = OpenFds();
  for (const PciAddress& twin : {CoreWorld::kTwin, CoreWorld::kOtherTwin}) world_.kernel->Unbind(twin);
  world_.RunSignals();
  world_.kernel->Step();
  // The second founds a context of its own, and the first follows it there.
  for (const PciAddress& twin : {CoreWorld::kOtherTwin, CoreWorld::kTwin}) {
    ASSERT_TRUE(world_.kernel->Return(twin));
    world_.broker->Rescan();
    world_.scheduler.RunReady();
    EXPECT_EQ(world_.broker->GetDevice(twin)->state, DeviceState::kReady);
    EXPECT_EQ(world_.broker->GetDevice(twin)->context, CoreWorld::kOtherTwin.ToString());
  }
  world_.kernel->Step();  // sees the last closes
  EXPECT_EQ(OpenFds(), fds);
}

TEST_F(RemovalTest, AScanFindsWhatNoSignalTold) {
  driver_.channel->grants.clear();
  world_.kernel->Unbind(CoreWorld::kExporter);
  world_.broker->Rescan();
  world_.scheduler.Advance(absl::Seconds(1));
  EXPECT_EQ(Device().state, DeviceState::kGone);
}

TEST_F(RemovalTest, AScanThatFindsNothingNewChangesNothing) {
  const uint64_t generation = Device().generation;
  world_.broker->Rescan();
  world_.scheduler.RunReady();
  EXPECT_EQ(Device().generation, generation);
  EXPECT_TRUE(Reaches());
}

TEST_F(RemovalTest, AnUnbindDuringAResetFollowsIt) {
  world_.broker->ResetDevice(driver_.id, world_.NextRequest(), CoreWorld::kExporter,
                             [](absl::StatusOr<OperationView>) {});
  world_.scheduler.RunReady();
  ASSERT_EQ(Device().state, DeviceState::kQuiescing);
  driver_.channel->grants.clear();
  Unbind();
  world_.scheduler.Advance(absl::Seconds(3));
  EXPECT_EQ(Device().state, DeviceState::kGone);
  EXPECT_FALSE(Reaches());
}

TEST_F(RemovalTest, AnImporterThatGoesTakesItsAddressSpacesAlong) {
  importer_.channel->grants.clear();
  world_.kernel->Unplug(CoreWorld::kEngine);
  world_.RunSignals();
  world_.scheduler.Advance(absl::Milliseconds(500));
  EXPECT_TRUE(absl::IsNotFound(world_.broker->GetAddressSpace(importer_.id, space_.id).status()));
  EXPECT_TRUE(world_.broker->GetExport(importer_.id, window_.id).ok());
  EXPECT_EQ(Device().state, DeviceState::kReady);
}

}  // namespace
}  // namespace p2pd
