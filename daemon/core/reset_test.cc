// Resets: everybody is asked, everything is unmapped in time, and comes back at its own IOVA.
#include <set>

#include "daemon/base/errors.h"
#include "daemon/core/testing/mapped_test.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

class ResetTest : public MappedTest {
 protected:
  // Begins a reset by the driver; its outcome arrives in reset_.
  void Begin() {
    world_.broker->ResetDevice(driver_.id, world_.NextRequest(), CoreWorld::kExporter,
                               [this](absl::StatusOr<OperationView> got) { reset_ = std::move(got); });
    world_.scheduler.RunReady();
  }

  std::optional<absl::StatusOr<OperationView>> reset_;
};

TEST_F(ResetTest, WaitsForTheImportersAckBeforeItUnmaps) {
  Begin();
  ASSERT_EQ(importer_.channel->quiesces.size(), 1u);
  EXPECT_THAT(importer_.channel->quiesces[0].mappings, ::testing::ElementsAre(mapping_.id));
  EXPECT_EQ(Device().state, DeviceState::kQuiescing);
  EXPECT_TRUE(Reaches());
  EXPECT_FALSE(reset_.has_value());
  Ack(importer_);
  ASSERT_TRUE(reset_.has_value());
  ASSERT_TRUE(reset_->ok()) << reset_->status();
  EXPECT_EQ((*reset_)->state, OperationState::kSucceeded);
  EXPECT_EQ((*reset_)->parties[0].answer, Answer::kAcked);
}

TEST_F(ResetTest, PutsEveryMappingBackAtItsOwnIova) {
  const MappingView second = world_.Map(importer_, window_.id, space_.id);
  Begin();
  Ack(importer_);
  EXPECT_EQ(Mapping().state, MappingState::kActive);
  EXPECT_EQ(Mapping().iova, mapping_.iova);
  uint8_t byte = 42;
  EXPECT_TRUE(world_.kernel->WriteConfig(driver_.channel->grants[0].second, 4, std::vector<uint8_t>{6, 0}).ok());
  EXPECT_TRUE(world_.Reaches(CoreWorld::kEngine, CoreWorld::kExporter, 0));
  EXPECT_TRUE(world_.kernel->WriteConfig(importer_.channel->grants[0].second, 4, std::vector<uint8_t>{6, 0}).ok());
  EXPECT_TRUE(world_.kernel->DmaWrite(CoreWorld::kEngine, mapping_.iova.start, absl::MakeSpan(&byte, 1)));
  EXPECT_TRUE(world_.kernel->DmaWrite(CoreWorld::kEngine, second.iova.start, absl::MakeSpan(&byte, 1)));
}

TEST_F(ResetTest, RestoredIsNotReady) {
  Begin();
  Ack(importer_);
  EXPECT_EQ(Device().state, DeviceState::kAwaitingDriver);
  EXPECT_TRUE(importer_.channel->resumes.empty());
  Ready(driver_);
  ASSERT_EQ(importer_.channel->resumes.size(), 1u);
  EXPECT_EQ(importer_.channel->resumes[0].restored, 1u);
  EXPECT_EQ(importer_.channel->resumes[0].lost, 0u);
  EXPECT_EQ(Device().state, DeviceState::kReady);
}

TEST_F(ResetTest, ADriverThatIsNeverReadyLosesTheDevice) {
  Begin();
  Ack(importer_);
  ASSERT_EQ(Device().state, DeviceState::kAwaitingDriver);
  driver_.channel->grants.clear();
  world_.scheduler.Advance(absl::Seconds(59));
  EXPECT_EQ(Device().driver, driver_.id);
  world_.scheduler.Advance(absl::Seconds(4));
  EXPECT_FALSE(Device().driver.has_value());
  EXPECT_EQ(Device().state, DeviceState::kReady);
  EXPECT_EQ(driver_.channel->revoked, std::vector<PciAddress>{CoreWorld::kExporter});
  EXPECT_FALSE(Reaches());
  EXPECT_TRUE(absl::IsNotFound(world_.broker->GetMapping(importer_.id, mapping_.id).status()));
}

TEST_F(ResetTest, ADriverThatIsReadyInTimeKeepsIt) {
  Begin();
  Ack(importer_);
  Ready(driver_);
  world_.scheduler.Advance(absl::Minutes(5));
  EXPECT_EQ(Device().driver, driver_.id);
  EXPECT_EQ(Mapping().state, MappingState::kActive);
}

TEST_F(ResetTest, AReadyOfAnOlderGenerationIsRefused) {
  const uint64_t before = Device().generation;
  Begin();
  Ack(importer_);
  EXPECT_GT(Device().generation, before);
  const auto stale = world_.Call(&Broker::DeviceReady, driver_, CoreWorld::kExporter, before);
  EXPECT_EQ(GetErrorInfo(stale.status()).reason, Reason::kStaleGeneration);
  EXPECT_EQ(Device().state, DeviceState::kAwaitingDriver);
}

TEST_F(ResetTest, OnlyTheDriverSaysThatItsDeviceIsReady) {
  Begin();
  Ack(importer_);
  const auto refused = world_.Call(&Broker::DeviceReady, importer_, CoreWorld::kExporter, Device().generation);
  EXPECT_EQ(GetErrorInfo(refused.status()).reason, Reason::kNotOwner);
  EXPECT_EQ(Device().state, DeviceState::kAwaitingDriver);
}

TEST_F(ResetTest, TheGenerationGrowsBeforeAnythingIsAsked) {
  const uint64_t before = Device().generation;
  Begin();
  EXPECT_EQ(importer_.channel->quiesces[0].generation, before + 1);
  EXPECT_EQ(Device().generation, before + 1);
}

TEST_F(ResetTest, AClientThatDoesNotAnswerIsCutOffAtTheDeadline) {
  Begin();
  world_.scheduler.Advance(absl::Seconds(1.9));
  EXPECT_TRUE(Reaches());
  world_.scheduler.Advance(absl::Seconds(0.2));
  EXPECT_FALSE(Reaches());
  ASSERT_TRUE(reset_.has_value());
  EXPECT_EQ((*reset_)->parties[0].answer, Answer::kForced);
  EXPECT_EQ(Mapping().state, MappingState::kSuspended);
  Ready(driver_);
  EXPECT_FALSE(Reaches()) << "nobody vouches that its DMA has stopped";
}

TEST_F(ResetTest, ALateAckBringsTheMappingsBack) {
  Begin();
  world_.scheduler.Advance(absl::Seconds(3));
  Ready(driver_);
  EXPECT_FALSE(Reaches());
  Ack(importer_);
  EXPECT_TRUE(Reaches());
  EXPECT_EQ(Mapping().state, MappingState::kActive);
  EXPECT_EQ(Mapping().iova, mapping_.iova);
  EXPECT_EQ(importer_.channel->resumes.size(), 1u);
}

// Its end is under way: what came back now could be used until that has got to it.
TEST_F(ResetTest, ALateAckOfASessionThatHasEndedSinceBringsNothingBack) {
  Begin();
  world_.scheduler.Advance(absl::Seconds(3));
  Ready(driver_);
  const int maps = world_.kernel->CallCount(sim::Verb::kMapFile);
  world_.broker->AckQuiesce(importer_.id, importer_.channel->quiesces.back().operation);
  world_.broker->EndSession(importer_.id, "killed");
  world_.scheduler.RunReady();
  EXPECT_EQ(world_.kernel->CallCount(sim::Verb::kMapFile), maps);
}

TEST_F(ResetTest, AnAckForAnOlderResetBringsNothingBack) {
  Begin();
  const OperationId first = importer_.channel->quiesces.back().operation;
  world_.scheduler.Advance(absl::Seconds(3));
  Ready(driver_);
  Begin();
  world_.scheduler.Advance(absl::Seconds(3));
  world_.broker->AckQuiesce(importer_.id, first);
  world_.scheduler.RunReady();
  EXPECT_FALSE(Reaches());
  Ack(importer_);
  EXPECT_TRUE(Reaches());
}

TEST_F(ResetTest, NothingIsReachableWhileTheFunctionResets) {
  // The reset itself is where the kernel would revoke: by then p2pd has unmapped.
  const int unmaps = world_.kernel->CallCount(sim::Verb::kUnmap);
  world_.kernel->FailNth(sim::Verb::kResetDevice, 1, EAGAIN);
  Begin();
  Ack(importer_);
  EXPECT_EQ(world_.kernel->CallCount(sim::Verb::kUnmap), unmaps + 1);
}

TEST_F(ResetTest, AFailedResetHasRevokedTooAndTheMappingsComeBack) {
  world_.kernel->FailNth(sim::Verb::kResetDevice, 1, EAGAIN, sim::FailPoint::kAfterRevoking);
  Begin();
  Ack(importer_);
  ASSERT_TRUE(reset_.has_value() && reset_->ok());
  EXPECT_EQ((*reset_)->state, OperationState::kFailed);
  EXPECT_THAT((*reset_)->error, ::testing::HasSubstr("EAGAIN"));
  EXPECT_EQ(Mapping().state, MappingState::kActive);
  EXPECT_TRUE(Reaches());
}

TEST_F(ResetTest, AnAreaThatCouldNotBeUnmappedIsRemovedAfterTheReset) {
  world_.kernel->FailNth(sim::Verb::kUnmap, 1, EIO);
  Begin();
  Ack(importer_);
  EXPECT_EQ(Mapping().state, MappingState::kActive);
  EXPECT_TRUE(Reaches());
  EXPECT_EQ((*reset_)->state, OperationState::kFailed);
}

TEST_F(ResetTest, AMappingThatCannotComeBackIsLostWithTheReason) {
  world_.kernel->FailNth(sim::Verb::kMapFile, 1, ENODEV);
  Begin();
  Ack(importer_);
  EXPECT_EQ(Mapping().state, MappingState::kLost);
  EXPECT_THAT(Mapping().state_reason, ::testing::HasSubstr("ENODEV"));
  EXPECT_FALSE(Reaches());
  Ready(driver_);
  EXPECT_EQ(importer_.channel->resumes[0].lost, 1u);
  EXPECT_TRUE(world_.Call(&Broker::Unmap, importer_, mapping_.id).ok());
  EXPECT_TRUE(
      world_
          .Call(&Broker::Map, importer_,
                MapArgs{.source = window_.id, .address_space = space_.id, .placement = {.iova = mapping_.iova.start}})
          .ok());
}

TEST_F(ResetTest, ABusyMapIsTriedAgain) {
  world_.kernel->FailNth(sim::Verb::kMapFile, 1, EBUSY);
  Begin();
  Ack(importer_);
  EXPECT_EQ(Mapping().state, MappingState::kActive);
}

TEST_F(ResetTest, ASecondResetWaitsForNobody) {
  Begin();
  const auto second = world_.Call(&Broker::ResetDevice, driver_, CoreWorld::kExporter);
  EXPECT_EQ(GetErrorInfo(second.status()).reason, Reason::kDeviceNotReady);
}

TEST_F(ResetTest, ASessionThatEndsIsNotWaitedFor) {
  Begin();
  world_.broker->EndSession(importer_.id, "bye");
  world_.scheduler.RunReady();
  ASSERT_TRUE(reset_.has_value());
  EXPECT_EQ((*reset_)->parties[0].answer, Answer::kGone);
  EXPECT_FALSE(Reaches());
  EXPECT_EQ(world_.broker->GetStatus().mappings, 0u);
}

TEST_F(ResetTest, AMappingReleasedMeanwhileDoesNotComeBack) {
  Begin();
  EXPECT_TRUE(world_.Call(&Broker::Unmap, importer_, mapping_.id).ok());
  Ack(importer_);
  EXPECT_FALSE(Reaches());
  EXPECT_EQ(world_.broker->GetStatus().mappings, 0u);
}

TEST_F(ResetTest, ADriverThatDiesDuringItsResetIsEndedAfterIt) {
  Begin();
  driver_.channel->grants.clear();
  world_.broker->EndSession(driver_.id, "killed");
  world_.scheduler.RunReady();
  Ack(importer_);
  world_.scheduler.Advance(absl::Seconds(3));
  EXPECT_FALSE(Reaches());
  EXPECT_EQ(Device().state, DeviceState::kReady);
  EXPECT_EQ(Device().driver, std::nullopt);
  EXPECT_TRUE(world_.broker->ListExports(importer_.id).empty());
}

TEST_F(ResetTest, SomebodyElseNeedsPolicyToReset) {
  const Client admin = world_.Connect(0);
  world_.policy->denied = {Action::kReset};
  const auto denied = world_.Call(&Broker::ResetDevice, admin, CoreWorld::kExporter);
  EXPECT_EQ(denied.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(Device().state, DeviceState::kReady);
}

TEST_F(ResetTest, AnAdministratorsResetAsksTheDriverToo) {
  const Client admin = world_.Connect(0);
  std::optional<absl::StatusOr<OperationView>> outcome = world_.Try(&Broker::ResetDevice, admin, CoreWorld::kExporter);
  EXPECT_FALSE(outcome.has_value());
  EXPECT_EQ(driver_.channel->quiesces.size(), 1u);
  EXPECT_EQ(importer_.channel->quiesces.size(), 1u);
}

TEST_F(ResetTest, AnotherDevicesMappingsAreLeftAlone) {
  const ExportView other = world_.Export(importer_, CoreWorld::kExporter2, {0, kMiB});
  world_.Map(importer_, other.id, space_.id);
  Begin();
  EXPECT_THAT(importer_.channel->quiesces[0].mappings, ::testing::ElementsAre(mapping_.id));
  world_.scheduler.Advance(absl::Seconds(3));
  EXPECT_TRUE(world_.Reaches(CoreWorld::kEngine, CoreWorld::kExporter2, 0));
}

TEST_F(ResetTest, ADeviceWithoutResetIsRefusedBeforeAnythingIsRevoked) {
  const auto refused = world_.Call(&Broker::ResetDevice, driver_, CoreWorld::kNoReset);
  EXPECT_EQ(GetErrorInfo(refused.status()).reason, Reason::kDeviceUnusable);
  EXPECT_EQ(world_.broker->GetDevice(CoreWorld::kNoReset)->generation, 0u);
}

TEST_F(ResetTest, OfVeryManyMappingsEachIsUnmappedAndComesBackAtItsOwnIova) {
  std::vector<MappingView> many;
  for (int i = 0; i < 200; ++i) many.push_back(world_.Map(importer_, window_.id, space_.id));
  const int unmaps = world_.kernel->CallCount(sim::Verb::kUnmap);
  const int maps = world_.kernel->CallCount(sim::Verb::kMapFile);
  Begin();
  Ack(importer_);
  ASSERT_TRUE(reset_.has_value() && reset_->ok());
  EXPECT_EQ((*reset_)->mapping_count, 201u);
  EXPECT_EQ(world_.kernel->CallCount(sim::Verb::kUnmap), unmaps + 201);
  EXPECT_EQ(world_.kernel->CallCount(sim::Verb::kMapFile), maps + 201);
  for (const MappingView& mapping : many) {
    const auto now = world_.broker->GetMapping(importer_.id, mapping.id);
    ASSERT_TRUE(now.ok());
    EXPECT_EQ(now->state, MappingState::kActive);
    EXPECT_EQ(now->iova, mapping.iova);
  }
}

TEST_F(ResetTest, OfVeryManyMappingsEachIsCutOff) {
  std::vector<MappingView> many;
  for (int i = 0; i < 200; ++i) many.push_back(world_.Map(importer_, window_.id, space_.id));
  Begin();
  world_.scheduler.Advance(absl::Seconds(3));
  EXPECT_FALSE(Reaches());
  for (const MappingView& mapping : many) {
    EXPECT_EQ(world_.broker->GetMapping(importer_.id, mapping.id)->state, MappingState::kSuspended);
  }
}

// Notes how many were unmapped when it was first told of one that is.
class FirstNewsWatcher final : public Watcher {
 public:
  explicit FirstNewsWatcher(SimKernel& kernel) : kernel_(kernel) {}
  void OnEvent(const std::shared_ptr<const Event>& event) override {
    const auto* mapping = std::get_if<MappingView>(&event->object);
    if (mapping == nullptr || mapping->state != MappingState::kSuspended || unmaps.has_value()) return;
    unmaps = kernel_.CallCount(sim::Verb::kUnmap);
  }
  std::optional<int> unmaps;

 private:
  SimKernel& kernel_;
};

TEST_F(ResetTest, OfVeryManyMappingsTheFirstIsToldOfWhenTheLastIsUnmapped) {
  for (int i = 0; i < 200; ++i) world_.Map(importer_, window_.id, space_.id);
  const auto watcher = std::make_shared<FirstNewsWatcher>(*world_.kernel);
  ASSERT_TRUE(world_.broker->Watch(importer_.id, watcher).ok());
  const int before = world_.kernel->CallCount(sim::Verb::kUnmap);
  Begin();
  Ack(importer_);
  ASSERT_TRUE(watcher->unmaps.has_value());
  EXPECT_EQ(*watcher->unmaps, before + 201);
}

}  // namespace
}  // namespace p2pd
