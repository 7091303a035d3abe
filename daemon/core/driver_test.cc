// Who drives a device, and what a driver's or a session's end takes with it.
#include "daemon/base/errors.h"
#include "daemon/core/testing/core_world.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

constexpr uint64_t kMiB = 1 << 20;

class DriverTest : public ::testing::Test {
 protected:
  void End(Client& client) {
    client.channel->grants.clear();  // its process is gone, and so are its fds
    world_.broker->EndSession(client.id, "killed");
    world_.scheduler.RunReady();
  }
  DeviceView Device(const PciAddress& address) { return *world_.broker->GetDevice(address); }

  CoreWorld world_;
  Client driver_ = world_.Connect(1000);
  Client other_ = world_.Connect(1001);
};

TEST_F(DriverTest, TheFdGoesOutOnTheChannelBeforeTheAnswer) {
  world_.broker->OpenDevice(driver_.id, "r", CoreWorld::kEngine, [this](absl::StatusOr<DeviceView> got) {
    EXPECT_TRUE(got.ok());
    EXPECT_EQ(driver_.channel->grants.size(), 1u);
    EXPECT_EQ(got->state, DeviceState::kAwaitingDriver);
  });
  ASSERT_EQ(driver_.channel->grants.size(), 1u);
  EXPECT_TRUE(world_.kernel->GetDeviceInfo(driver_.channel->grants[0].second).ok());
}

TEST_F(DriverTest, ADeviceHasOneDriver) {
  world_.Drive(driver_, CoreWorld::kEngine);
  const auto second = world_.Call(&Broker::OpenDevice, other_, CoreWorld::kEngine);
  EXPECT_EQ(GetErrorInfo(second.status()).reason, Reason::kDeviceBusy);
  EXPECT_TRUE(other_.channel->grants.empty());
}

TEST_F(DriverTest, PolicyDecidesWhoDrives) {
  world_.policy->denied = {Action::kDrive};
  const auto denied = world_.Call(&Broker::OpenDevice, driver_, CoreWorld::kEngine);
  EXPECT_EQ(denied.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(GetErrorInfo(denied.status()).reason, Reason::kPolicy);
}

TEST_F(DriverTest, AGrantThatCannotBeDeliveredIsTakenBack) {
  driver_.channel->refuse_grants = absl::ResourceExhaustedError("16 fds unread");
  EXPECT_FALSE(world_.Call(&Broker::OpenDevice, driver_, CoreWorld::kEngine).ok());
  EXPECT_EQ(Device(CoreWorld::kEngine).driver, std::nullopt);
  EXPECT_EQ(Device(CoreWorld::kEngine).state, DeviceState::kReady);
}

TEST_F(DriverTest, ADriversEndRevokesEveryExportOfItsDevice) {
  world_.Drive(driver_, CoreWorld::kExporter);
  world_.Drive(other_, CoreWorld::kEngine);
  const ExportView window = world_.Export(other_, CoreWorld::kExporter, {0, kMiB});
  world_.Map(other_, window.id, world_.Space(other_, CoreWorld::kEngine).id);
  End(driver_);
  EXPECT_EQ(other_.channel->quiesces.size(), 1u) << "the others have their time";
  EXPECT_TRUE(world_.Reaches(CoreWorld::kEngine, CoreWorld::kExporter, 0));
  world_.broker->AckQuiesce(other_.id, other_.channel->quiesces[0].operation);
  world_.scheduler.RunReady();
  EXPECT_FALSE(world_.Reaches(CoreWorld::kEngine, CoreWorld::kExporter, 0));
  EXPECT_TRUE(world_.broker->ListExports(other_.id).empty());
  EXPECT_TRUE(world_.broker->ListMappings(other_.id).empty());
  EXPECT_EQ(Device(CoreWorld::kExporter).state, DeviceState::kReady);
  EXPECT_EQ(Device(CoreWorld::kEngine).driver, other_.id) << "a living importer keeps what is innocent";
}

TEST_F(DriverTest, ADeadDriversDeviceStopsAtOnceAndIsReset) {
  world_.Drive(driver_, CoreWorld::kEngine);
  const ExportView window = world_.Export(driver_, CoreWorld::kExporter, {0, kMiB});
  const MappingView mapping = world_.Map(driver_, window.id, world_.Space(driver_, CoreWorld::kEngine).id);
  const int resets = world_.kernel->CallCount(sim::Verb::kResetDevice);
  End(driver_);
  EXPECT_EQ(world_.kernel->CallCount(sim::Verb::kResetDevice), resets + 1);
  uint8_t byte = 1;
  EXPECT_FALSE(world_.kernel->DmaWrite(CoreWorld::kEngine, mapping.iova.start, absl::MakeSpan(&byte, 1)));
  EXPECT_EQ(world_.broker->GetStatus().mappings, 0u);
  EXPECT_EQ(world_.broker->GetStatus().exports, 0u);
  EXPECT_EQ(world_.broker->GetStatus().address_spaces, 0u);
  EXPECT_EQ(world_.broker->GetStatus().sessions, 1u);
}

// Others have their time to stop; whoever drove the device has none.
TEST_F(DriverTest, ADeadDriversDeviceMastersNothingWhileItsUsersAreAskedToStop) {
  world_.Drive(driver_, CoreWorld::kExporter);
  world_.Drive(other_, CoreWorld::kEngine);
  const ExportView window = world_.Export(other_, CoreWorld::kExporter, {0, kMiB});
  world_.Map(other_, window.id, world_.Space(other_, CoreWorld::kEngine).id);
  const FdRef device = driver_.channel->grants[0].second;
  constexpr uint64_t kCommand = 4;
  uint8_t command[2] = {6, 0};  // memory decode, bus master
  ASSERT_TRUE(world_.kernel->WriteConfig(device, kCommand, command).ok());
  world_.broker->EndSession(driver_.id, "hung up");
  world_.scheduler.RunReady();
  EXPECT_TRUE(world_.Reaches(CoreWorld::kEngine, CoreWorld::kExporter, 0)) << "nobody has been cut off yet";
  ASSERT_TRUE(world_.kernel->ReadConfig(device, kCommand, absl::MakeSpan(command)).ok());
  EXPECT_EQ(command[0], 2);
}

TEST_F(DriverTest, TheNextDriverReachesNothingOfTheLastOnes) {
  world_.Drive(driver_, CoreWorld::kEngine);
  const ExportView window = world_.Export(driver_, CoreWorld::kExporter, {0, kMiB});
  const MappingView mapping = world_.Map(driver_, window.id, world_.Space(driver_, CoreWorld::kEngine).id);
  End(driver_);
  world_.Drive(other_, CoreWorld::kEngine);
  world_.Space(other_, CoreWorld::kEngine);
  ASSERT_TRUE(world_.kernel->WriteConfig(other_.channel->grants[0].second, 4, std::vector<uint8_t>{6, 0}).ok());
  uint8_t byte = 1;
  EXPECT_FALSE(world_.kernel->DmaWrite(CoreWorld::kEngine, mapping.iova.start, absl::MakeSpan(&byte, 1)));
  ASSERT_FALSE(world_.kernel->faults().empty());
  EXPECT_EQ(world_.kernel->faults().back().iova, mapping.iova.start);
}

TEST_F(DriverTest, AnFdThatIsStillHeldTaintsTheDeviceUntilItIsGone) {
  world_.holders = {{.pid = 4711, .comm = "hoarder"}};
  world_.Drive(driver_, CoreWorld::kEngine);
  world_.broker->EndSession(driver_.id, "hung up, but its process lives and keeps the fd");
  world_.scheduler.RunReady();
  EXPECT_EQ(Device(CoreWorld::kEngine).state, DeviceState::kTainted);
  EXPECT_EQ(Device(CoreWorld::kEngine).holders, world_.holders);
  EXPECT_THAT(Device(CoreWorld::kEngine).state_reason, ::testing::HasSubstr("hoarder (pid 4711) still holds its fd"));
  const auto refused = world_.Call(&Broker::OpenDevice, other_, CoreWorld::kEngine);
  EXPECT_EQ(GetErrorInfo(refused.status()).reason, Reason::kDeviceUnusable);
  driver_.channel->grants.clear();
  world_.scheduler.Advance(absl::Seconds(1));
  EXPECT_EQ(Device(CoreWorld::kEngine).state, DeviceState::kReady);
  EXPECT_TRUE(Device(CoreWorld::kEngine).holders.empty());
  world_.Drive(other_, CoreWorld::kEngine);
}

TEST_F(DriverTest, TheUnitOfWhoeverKeepsAnFdIsKilledWherePolicySaysSo) {
  world_.policy->kill_holder = true;
  world_.holders = {{.pid = 4711, .comm = "hoarder", .unit = "hoarder.service"},
                    {.pid = 4712, .comm = "hoarder", .unit = "hoarder.service"},
                    {.pid = 4713, .comm = "other", .unit = "other.service"}};
  world_.Drive(driver_, CoreWorld::kEngine);
  world_.broker->EndSession(driver_.id, "hung up, but its process lives and keeps the fd");
  world_.scheduler.RunReady();
  EXPECT_THAT(world_.killed, ::testing::ElementsAre("hoarder.service", "other.service"));
  const OperationView receipt = world_.broker->ListOperations(other_.id).back();
  EXPECT_THAT(receipt.steps, ::testing::Contains(::testing::AllOf(
                                 ::testing::Field(&OperationStep::what, "kill hoarder.service, which keeps the fd"),
                                 ::testing::Field(&OperationStep::error, ""))));
  driver_.channel->grants.clear();  // as the kernel does with what is killed
  world_.scheduler.Advance(absl::Seconds(1));
  EXPECT_EQ(Device(CoreWorld::kEngine).state, DeviceState::kReady);
}

TEST_F(DriverTest, WhatIsNotKilledKeepsTheDeviceTaintedAndTheReceiptSaysWhy) {
  world_.policy->kill_holder = true;
  world_.kill_outcome = absl::UnavailableError("there is no bus");
  world_.holders = {{.pid = 4711, .comm = "hoarder", .unit = "hoarder.service"}};
  world_.Drive(driver_, CoreWorld::kEngine);
  world_.broker->EndSession(driver_.id, "hung up, but its process lives and keeps the fd");
  world_.scheduler.RunReady();
  EXPECT_EQ(Device(CoreWorld::kEngine).state, DeviceState::kTainted);
  const OperationView receipt = world_.broker->ListOperations(other_.id).back();
  EXPECT_THAT(receipt.steps, ::testing::Contains(::testing::AllOf(
                                 ::testing::Field(&OperationStep::what, "kill hoarder.service, which keeps the fd"),
                                 ::testing::Field(&OperationStep::error, ::testing::HasSubstr("there is no bus")))));
}

TEST_F(DriverTest, NobodyIsKilledUnlessPolicySaysSo) {
  world_.holders = {{.pid = 4711, .comm = "hoarder", .unit = "hoarder.service"}};
  world_.Drive(driver_, CoreWorld::kEngine);
  world_.broker->EndSession(driver_.id, "hung up, but its process lives and keeps the fd");
  world_.scheduler.RunReady();
  EXPECT_EQ(Device(CoreWorld::kEngine).state, DeviceState::kTainted);
  EXPECT_TRUE(world_.killed.empty());
}

TEST_F(DriverTest, ATaintedDeviceTaintsItsContext) {
  world_.Drive(driver_, CoreWorld::kTwin);
  world_.broker->EndSession(driver_.id, "hung up, but its process lives and keeps the fd");
  world_.scheduler.RunReady();
  ASSERT_EQ(Device(CoreWorld::kTwin).state, DeviceState::kTainted);
  const auto refused = world_.Call(&Broker::OpenDevice, other_, CoreWorld::kOtherTwin);
  EXPECT_EQ(GetErrorInfo(refused.status()).reason, Reason::kDeviceUnusable);
  driver_.channel->grants.clear();
  world_.scheduler.Advance(absl::Seconds(1));
  world_.Drive(other_, CoreWorld::kOtherTwin);
}

TEST_F(DriverTest, DriversOfOneContextAreOneSession) {
  world_.Drive(driver_, CoreWorld::kTwin);
  const auto refused = world_.Call(&Broker::OpenDevice, other_, CoreWorld::kOtherTwin);
  EXPECT_EQ(GetErrorInfo(refused.status()).reason, Reason::kDeviceBusy);
  world_.Drive(driver_, CoreWorld::kOtherTwin);
}

TEST_F(DriverTest, ABindThatIsOnlyBusyIsTriedAgain) {
  world_.Drive(driver_, CoreWorld::kEngine);
  world_.kernel->FailNth(sim::Verb::kBindDevice, 1, EAGAIN);
  End(driver_);
  EXPECT_EQ(Device(CoreWorld::kEngine).state, DeviceState::kTainted);
  world_.scheduler.Advance(absl::Seconds(1));
  EXPECT_EQ(Device(CoreWorld::kEngine).state, DeviceState::kReady);
}

TEST_F(DriverTest, AnAddressSpaceThatCouldNotBeDestroyedGoesWithTheNextOperation) {
  world_.Drive(driver_, CoreWorld::kEngine);
  world_.Space(driver_, CoreWorld::kEngine);
  world_.kernel->FailNth(sim::Verb::kDestroyIoas, 1, EBUSY);
  End(driver_);
  world_.Drive(other_, CoreWorld::kEngine);
  world_.broker->EndSession(other_.id, "bye");
  world_.scheduler.Advance(absl::Seconds(1));
  EXPECT_EQ(world_.broker->GetStatus().address_spaces, 0u);
}

TEST_F(DriverTest, ADeviceThatCannotBeResetNeedsPolicyByName) {
  const auto refused = world_.Call(&Broker::OpenDevice, driver_, CoreWorld::kNoReset);
  EXPECT_EQ(GetErrorInfo(refused.status()).reason, Reason::kDeviceUnusable);
  world_.policy->scrub = Scrub::kNone;
  EXPECT_TRUE(world_.Call(&Broker::OpenDevice, driver_, CoreWorld::kNoReset).ok());
}

TEST_F(DriverTest, CloseDeviceEndsTheDriverAndKeepsTheSession) {
  world_.Drive(driver_, CoreWorld::kEngine);
  world_.Space(driver_, CoreWorld::kEngine);
  driver_.channel->grants.clear();
  const auto closed = world_.Call(&Broker::CloseDevice, driver_, CoreWorld::kEngine);
  ASSERT_TRUE(closed.ok()) << closed.status();
  EXPECT_EQ(closed->driver, std::nullopt);
  EXPECT_EQ(closed->state, DeviceState::kReady);
  EXPECT_TRUE(world_.broker->ListAddressSpaces(driver_.id).empty());
  EXPECT_TRUE(world_.broker->Authenticate(driver_.token).ok());
  world_.Drive(driver_, CoreWorld::kEngine);
}

TEST_F(DriverTest, OnlyTheDriverCloses) {
  world_.Drive(driver_, CoreWorld::kEngine);
  EXPECT_EQ(GetErrorInfo(world_.Call(&Broker::CloseDevice, other_, CoreWorld::kEngine).status()).reason,
            Reason::kNotOwner);
}

TEST_F(DriverTest, AnEndedSessionsTokenIsWorthNothing) {
  End(driver_);
  EXPECT_EQ(GetErrorInfo(world_.broker->Authenticate(driver_.token).status()).reason, Reason::kSessionEnded);
  EXPECT_EQ(GetErrorInfo(world_.Call(&Broker::OpenDevice, driver_, CoreWorld::kEngine).status()).reason,
            Reason::kSessionEnded);
  EXPECT_TRUE(driver_.channel->ended.has_value());
}

TEST_F(DriverTest, ATokenIsComparedInFull) {
  EXPECT_FALSE(world_.broker->Authenticate(driver_.token.substr(0, 32)).ok());
  EXPECT_FALSE(world_.broker->Authenticate("").ok());
  EXPECT_FALSE(world_.broker->Authenticate(driver_.token + "0").ok());
  EXPECT_TRUE(world_.broker->Authenticate(driver_.token).ok());
  EXPECT_NE(driver_.token, other_.token);
}

TEST_F(DriverTest, ARepeatedRequestHasOneEffectAndOneOutcome) {
  world_.Drive(driver_, CoreWorld::kEngine);
  const ExportView window = world_.Export(driver_, CoreWorld::kExporter, {0, kMiB});
  const AddressSpaceView space = world_.Space(driver_, CoreWorld::kEngine);
  std::vector<MappingId> ids;
  for (int i = 0; i < 2; ++i) {
    world_.broker->Map(driver_.id, "same", MapArgs{.source = window.id, .address_space = space.id},
                       [&](absl::StatusOr<MappingView> got) { ids.push_back(got->id); });
  }
  ASSERT_EQ(ids.size(), 2u);
  EXPECT_EQ(ids[0], ids[1]);
  EXPECT_EQ(world_.broker->GetStatus().mappings, 1u);
  world_.broker->Map(
      driver_.id, "same", MapArgs{.source = window.id, .address_space = space.id, .length = 4096},
      [&](absl::StatusOr<MappingView> got) { EXPECT_EQ(GetErrorInfo(got.status()).reason, Reason::kRequestIdReused); });
}

TEST_F(DriverTest, AWatcherSeesTheStateNowAndEveryChangeAfter) {
  world_.policy->denied = {Action::kObserve};
  const auto watcher = std::make_shared<RecordingWatcher>();
  ASSERT_TRUE(world_.broker->Watch(other_.id, watcher).ok());
  const size_t snapshot = watcher->events.size();
  EXPECT_EQ(watcher->events.back()->type, EventType::kInSync);
  EXPECT_EQ(snapshot, 7u + 1u + 1u) << "seven devices, its own session, in sync";
  world_.Drive(driver_, CoreWorld::kEngine);
  world_.Export(driver_, CoreWorld::kExporter, {0, kMiB});
  EXPECT_EQ(watcher->events.size(), snapshot + 2) << "the device's two states; the other's export is not for its eyes";
  world_.Export(other_, CoreWorld::kExporter, {kMiB, kMiB});
  EXPECT_TRUE(std::holds_alternative<ExportView>(watcher->events.back()->object));
}

TEST_F(DriverTest, StopEndsEverySessionAndUnmapsEverything) {
  world_.Drive(driver_, CoreWorld::kEngine);
  const ExportView window = world_.Export(driver_, CoreWorld::kExporter, {0, kMiB});
  world_.Map(driver_, window.id, world_.Space(driver_, CoreWorld::kEngine).id);
  bool stopped = false;
  world_.broker->Stop([&] { stopped = true; });
  world_.scheduler.RunReady();
  EXPECT_TRUE(stopped);
  EXPECT_FALSE(world_.Reaches(CoreWorld::kEngine, CoreWorld::kExporter, 0));
  EXPECT_EQ(world_.broker->GetStatus().sessions, 0u);
  EXPECT_FALSE(world_.broker->OpenSession({}, driver_.channel).ok());
}

}  // namespace
}  // namespace p2pd
