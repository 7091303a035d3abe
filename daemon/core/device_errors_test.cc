// Errors that a device tells of: unmapped at once; back where the device still is what it was, or anew.
#include <algorithm>

#include "daemon/base/errors.h"
#include "daemon/core/testing/mapped_test.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;

class DeviceErrorsTest : public MappedTest {
 protected:
  void Inject(sim::ErrorSeverity severity, const PciAddress& device = CoreWorld::kExporter) {
    Tell(severity, device);
    world_.EndRecovery(device);
  }

  // The kernel has told of it, and goes on to recover.
  void Tell(sim::ErrorSeverity severity, const PciAddress& device = CoreWorld::kExporter) {
    ASSERT_TRUE(world_.kernel->InjectError(device, severity));
    world_.RunSignals();
  }
};

TEST_F(DeviceErrorsTest, NobodyIsWaitedForBeforeTheImportersAreUnmapped) {
  Inject(sim::ErrorSeverity::kNonFatal);
  ASSERT_EQ(importer_.channel->quiesces.size(), 1u) << "it is told all the same";
  EXPECT_FALSE(Reaches());
  EXPECT_EQ(Mapping().state, MappingState::kSuspended);
  EXPECT_EQ(Last().kind, OperationKind::kDeviceError);
  EXPECT_EQ(Last().parties[0].answer, Answer::kForced);
}

TEST_F(DeviceErrorsTest, ADeviceThatIsIntactStaysWithItsDriverAndItsMappingsComeBack) {
  Inject(sim::ErrorSeverity::kNonFatal);
  EXPECT_EQ(Device().state, DeviceState::kAwaitingDriver);
  EXPECT_EQ(Device().driver, driver_.id);
  EXPECT_TRUE(driver_.channel->revoked.empty());
  Ack(importer_);
  EXPECT_EQ(Mapping().state, MappingState::kActive);
  EXPECT_EQ(Mapping().iova, mapping_.iova);
  EXPECT_TRUE(Reaches());
}

TEST_F(DeviceErrorsTest, OneThatWasClearedIsTakenFromItsDriverAndTheMappingsComeBackAnew) {
  driver_.channel->grants.clear();  // closed in time, as it will be told
  Inject(sim::ErrorSeverity::kFatal);
  EXPECT_THAT(driver_.channel->revoked, ElementsAre(CoreWorld::kExporter));
  EXPECT_FALSE(Device().driver.has_value());
  EXPECT_EQ(Device().state, DeviceState::kReady);
  EXPECT_EQ(Last().state, OperationState::kSucceeded) << Last().error;
  EXPECT_EQ(Mapping().state, MappingState::kSuspended) << "nobody says yet that it has stopped";
  Ack(importer_);
  EXPECT_EQ(Mapping().state, MappingState::kActive);
  EXPECT_EQ(Mapping().iova, mapping_.iova);
  EXPECT_TRUE(Reaches());
  world_.Map(importer_, window_.id, space_.id);
}

TEST_F(DeviceErrorsTest, WhoseWindowsCannotBeExportedAnewIsClosedAndTriedAgain) {
  driver_.channel->grants.clear();
  world_.kernel->FailNth(sim::Verb::kExportDmaBuf, 1, EBUSY);
  Inject(sim::ErrorSeverity::kFatal);
  EXPECT_TRUE(absl::IsNotFound(world_.broker->GetMapping(importer_.id, mapping_.id).status()));
  world_.scheduler.Advance(absl::Seconds(1));
  EXPECT_EQ(Device().state, DeviceState::kReady) << Device().state_reason;
  world_.Drive(driver_, CoreWorld::kExporter);
}

TEST_F(DeviceErrorsTest, WhileItsDriverHoldsOnItIsTaintedAndTheMappingsAreGone) {
  Inject(sim::ErrorSeverity::kFatal);
  EXPECT_EQ(Device().state, DeviceState::kTainted);
  EXPECT_FALSE(Reaches());
  EXPECT_TRUE(absl::IsNotFound(world_.broker->GetMapping(importer_.id, mapping_.id).status()));
  EXPECT_TRUE(absl::IsNotFound(world_.broker->GetExport(importer_.id, window_.id).status()));
  driver_.channel->grants.clear();
  world_.scheduler.Advance(absl::Seconds(1));
  EXPECT_EQ(Device().state, DeviceState::kReady);
  EXPECT_FALSE(Reaches());
}

TEST_F(DeviceErrorsTest, AnImporterThatWasClearedLosesItsAddressSpacesButNotTheExporter) {
  importer_.channel->grants.clear();
  Inject(sim::ErrorSeverity::kFatal, CoreWorld::kEngine);
  EXPECT_FALSE(Device(CoreWorld::kEngine).driver.has_value());
  EXPECT_TRUE(absl::IsNotFound(world_.broker->GetMapping(importer_.id, mapping_.id).status()));
  EXPECT_TRUE(world_.broker->GetExport(importer_.id, window_.id).ok());
  EXPECT_EQ(Device().state, DeviceState::kReady);
  world_.Drive(importer_, CoreWorld::kEngine);
}

TEST_F(DeviceErrorsTest, ARawExportOfAClearedDeviceEndsWithAWord) {
  const Client holder = world_.Connect(1002);
  const ExportView raw = world_.Export(holder, CoreWorld::kExporter, {2 * kMiB, kMiB}, 2, Grade::kRaw);
  driver_.channel->grants.clear();
  Inject(sim::ErrorSeverity::kFatal);
  EXPECT_THAT(holder.channel->revoked, ElementsAre(CoreWorld::kExporter));
  EXPECT_TRUE(absl::IsNotFound(world_.broker->GetExport(holder.id, raw.id).status()))
      << "its dma-buf is dead, whoever holds it";
}

TEST_F(DeviceErrorsTest, NothingComesBackBeforeTheKernelHasRecovered) {
  Tell(sim::ErrorSeverity::kFatal);
  Ack(importer_);
  EXPECT_FALSE(Reaches());
  EXPECT_EQ(Mapping().state, MappingState::kSuspended);
  driver_.channel->grants.clear();
  world_.EndRecovery(CoreWorld::kExporter);
  EXPECT_THAT(driver_.channel->revoked, ElementsAre(CoreWorld::kExporter));
  EXPECT_EQ(Mapping().state, MappingState::kActive);
  EXPECT_TRUE(Reaches());
  EXPECT_EQ(Last().state, OperationState::kSucceeded) << Last().error;
}

TEST_F(DeviceErrorsTest, ARecoveryThatEndsBeforeTheErrorIsHeardOfIsNotAwaited) {
  ASSERT_TRUE(world_.kernel->InjectError(CoreWorld::kExporter, sim::ErrorSeverity::kNonFatal));
  world_.EndRecovery(CoreWorld::kExporter);
  EXPECT_TRUE(Reaches()) << "nothing was cleared, and p2pd does not know of an error";
  world_.RunSignals();
  Ack(importer_);
  EXPECT_EQ(Mapping().state, MappingState::kActive);
}

TEST_F(DeviceErrorsTest, TheNextRecoveryIsAwaitedAllTheSame) {
  Inject(sim::ErrorSeverity::kNonFatal);
  Ack(importer_);
  ASSERT_TRUE(Reaches());
  Tell(sim::ErrorSeverity::kNonFatal);
  Ack(importer_);
  EXPECT_FALSE(Reaches());
}

TEST_F(DeviceErrorsTest, ARecoveryThatTakesTooLongIsLookedAtWhenItEnds) {
  Tell(sim::ErrorSeverity::kFatal);
  Ack(importer_);
  world_.scheduler.Advance(absl::Seconds(5));
  EXPECT_TRUE(Reaches()) << "as far as anybody can see, the device is what it was";
  EXPECT_THAT(Last().steps, Contains(AllOf(Field(&OperationStep::what, "await the kernel's recovery"),
                                           Field(&OperationStep::error, HasSubstr("has not said")))));
  const uint64_t generation = Device().generation;
  driver_.channel->grants.clear();
  world_.EndRecovery(CoreWorld::kExporter);
  EXPECT_EQ(Device().generation, generation + 1);
  EXPECT_THAT(Mapping().state_reason, HasSubstr("was cleared by an error"));
  EXPECT_THAT(driver_.channel->revoked, ElementsAre(CoreWorld::kExporter));
  Ack(importer_);
  EXPECT_TRUE(Reaches());
}

TEST_F(DeviceErrorsTest, WhatARecoveryClearsBeforeAResetIsThereAfterIt) {
  world_.broker->ResetDevice(driver_.id, world_.NextRequest(), CoreWorld::kExporter,
                             [](absl::StatusOr<OperationView>) {});
  world_.scheduler.RunReady();
  ASSERT_EQ(Device().state, DeviceState::kQuiescing);
  ASSERT_TRUE(world_.kernel->InjectError(CoreWorld::kExporter, sim::ErrorSeverity::kFatal));
  world_.EndRecovery(CoreWorld::kExporter);
  EXPECT_EQ(Device().state, DeviceState::kQuiescing) << "looked at afterwards";
  Ack(importer_);
  EXPECT_EQ(Mapping().state, MappingState::kActive);
  EXPECT_TRUE(Reaches());
}

TEST_F(DeviceErrorsTest, WhereWhatTheKernelSaidWasMissedEveryDeviceIsLookedAt) {
  world_.kernel->InjectError(CoreWorld::kExporter, sim::ErrorSeverity::kFatal);
  world_.kernel->EndRecovery(CoreWorld::kExporter);
  driver_.channel->grants.clear();
  world_.broker->Recovered(std::nullopt);
  world_.scheduler.RunReady();
  EXPECT_EQ(Last().kind, OperationKind::kDeviceError);
  EXPECT_THAT(Last().devices, ElementsAre(CoreWorld::kExporter));
  Ack(importer_);
  EXPECT_TRUE(Reaches());
}

TEST_F(DeviceErrorsTest, AnErrorDuringAResetIsLookedAtAfterIt) {
  world_.broker->ResetDevice(driver_.id, world_.NextRequest(), CoreWorld::kExporter,
                             [](absl::StatusOr<OperationView>) {});
  world_.scheduler.RunReady();
  ASSERT_EQ(Device().state, DeviceState::kQuiescing);
  Inject(sim::ErrorSeverity::kNonFatal);
  Ack(importer_);
  EXPECT_EQ(Last().kind, OperationKind::kDeviceError);
  EXPECT_EQ(Device().state, DeviceState::kAwaitingDriver);
}

}  // namespace
}  // namespace p2pd
