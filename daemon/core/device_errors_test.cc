// Errors that a device tells of: unmapped at once; back where the device still is what it was, or anew.
#include <algorithm>

#include "daemon/base/errors.h"
#include "daemon/core/testing/mapped_test.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class DeviceErrorsTest : public MappedTest {
 protected:
  void Inject(sim::ErrorSeverity severity, const PciAddress& device = CoreWorld::kExporter) {
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
