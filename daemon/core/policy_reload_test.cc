// Another policy: what it does not allow is revoked, the rest is left alone, and nothing is half done.
#include <algorithm>
#include <cerrno>

#include "daemon/base/errors.h"
#include "daemon/core/testing/policy_world.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr uint64_t kMiB = 1 << 20;

// Alice's engine and Bob's each map a window of the same exporter.
class PolicyReloadTest : public ::testing::Test {
 protected:
  PolicyReloadTest() {
    rules_.world.Drive(alice_, CoreWorld::kEngine);
    rules_.world.Drive(bob_, CoreWorld::kEngine2);
    hers_ = Map(alice_, CoreWorld::kEngine, 0);
    his_ = Map(bob_, CoreWorld::kEngine2, kMiB);
  }

  MappingView Map(const Client& client, const PciAddress& engine, uint64_t offset) {
    const auto window = world_.Export(client, CoreWorld::kExporter, {offset, kMiB});
    return world_.Map(client, window.id, world_.Space(client, engine).id);
  }
  static std::string Everything() { return AllowRule("all", kEveryAction); }
  static std::string Without(const std::string& action, const std::string& who) {
    return Everything() + "rule { name: \"no more\" effect: DENY action: " + action + " subject { user: \"" + who +
           "\" } }\n";
  }
  bool HersReached() { return world_.Reaches(CoreWorld::kEngine, CoreWorld::kExporter, 0); }
  bool HisReached() { return world_.Reaches(CoreWorld::kEngine2, CoreWorld::kExporter, kMiB); }
  void Ack(const Client& client) {
    world_.broker->AckQuiesce(client.id, client.channel->quiesces.back().operation);
    world_.scheduler.RunReady();
  }
  static std::vector<std::string> Objects(const ReloadView& view) {
    std::vector<std::string> objects;
    for (const FallenGrant& fallen : view.fallen) objects.push_back(fallen.object);
    return objects;
  }
  // Alice may not map any more; she stops when she is asked.
  absl::StatusOr<ReloadView> ReloadWithoutHerMap() {
    rules_.Write(Without("MAP", "alice"));
    auto outcome = std::make_shared<std::optional<absl::StatusOr<ReloadView>>>();
    world_.broker->Reload([outcome](absl::StatusOr<ReloadView> view) { *outcome = std::move(view); });
    world_.scheduler.RunReady();
    EXPECT_FALSE(outcome->has_value()) << "it answers when all is revoked";
    Ack(alice_);
    EXPECT_TRUE(outcome->has_value());
    return outcome->value_or(absl::DeadlineExceededError("the reload has not returned"));
  }
  OperationView ReloadReceipt() {
    const Client root = world_.Connect(0);
    OperationId last;
    for (const OperationView& view : world_.broker->ListOperations(root.id)) {
      if (view.kind == OperationKind::kPolicy) last = view.id;
    }
    return world_.broker->GetOperation(root.id, last).value_or(OperationView());
  }

  PolicyWorld rules_{Everything()};
  CoreWorld& world_ = rules_.world;
  Client alice_ = world_.Connect(1000);
  Client bob_ = world_.Connect(1001);
  MappingView hers_, his_;
};

TEST_F(PolicyReloadTest, RevokesWhatIsNoLongerAllowedAndLeavesTheRestAlone) {
  const auto view = ReloadWithoutHerMap();
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_FALSE(HersReached());
  EXPECT_TRUE(HisReached());
  EXPECT_THAT(bob_.channel->quiesces, IsEmpty());
  EXPECT_TRUE(world_.broker->GetExport(alice_.id, *hers_.source).ok()) << "the export is still allowed";
}

TEST_F(PolicyReloadTest, TheReceiptNamesTheRuleThatTookIt) {
  const auto view = ReloadWithoutHerMap();
  ASSERT_TRUE(view.ok() && view->operation.has_value());
  const auto receipt = world_.broker->GetOperation(bob_.id, *view->operation);
  EXPECT_EQ(receipt->kind, OperationKind::kPolicy);
  ASSERT_THAT(receipt->mappings, SizeIs(1));
  EXPECT_EQ(receipt->mappings[0].mapping, hers_.id);
  EXPECT_THAT(receipt->mappings[0].reason, HasSubstr("rule \"no more\" (policy:2) denies it"));
  ASSERT_THAT(receipt->parties, SizeIs(1));
  EXPECT_EQ(receipt->parties[0].answer, Answer::kAcked);
}

TEST_F(PolicyReloadTest, CountsTheGenerationsOfPolicies) {
  const uint64_t before = world_.broker->GetStatus().policy_generation;
  const auto view = rules_.Reload(Everything());
  EXPECT_EQ(view->generation, before + 1);
  EXPECT_EQ(world_.broker->GetStatus().policy_generation, before + 1);
  EXPECT_EQ(view->operation, std::nullopt) << "nothing had to be revoked";
}

TEST_F(PolicyReloadTest, ADryRunTellsWhatWouldBeRevokedAndDoesNot) {
  rules_.Write(Without("MAP", "alice"));
  const Client root = world_.Connect(0);
  const uint64_t before = world_.broker->GetStatus().policy_generation;
  const auto view = world_.Call(&Broker::ReloadPolicy, root, true);
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_THAT(Objects(*view), ElementsAre("mappings/" + std::to_string(hers_.id.value())));
  EXPECT_EQ(view->fallen[0].session, alice_.id);
  EXPECT_THAT(view->fallen[0].reason, HasSubstr("(policy:2)"));
  EXPECT_EQ(view->generation, before);
  EXPECT_TRUE(HersReached());
  EXPECT_THAT(alice_.channel->quiesces, IsEmpty());
}

TEST_F(PolicyReloadTest, AMistakeLeavesThePolicyThatIsInForce) {
  const uint64_t before = world_.broker->GetStatus().policy_generation;
  const auto view = rules_.Reload(Everything() + "rule { nme: \"x\" }");
  EXPECT_THAT(std::string(view.status().message()), HasSubstr("policy:2:8: "));
  EXPECT_EQ(world_.broker->GetStatus().policy_generation, before);
  EXPECT_TRUE(HersReached());
  EXPECT_TRUE(world_.Call(&Broker::CreateExport, alice_, Window{CoreWorld::kExporter2, 2, {0, kMiB}}, Terms()).ok());
}

TEST_F(PolicyReloadTest, OnlyAnAdministratorMayReload) {
  ASSERT_TRUE(rules_.Reload(Everything() + "rule { name: \"no\" effect: DENY action: ADMIN }").ok());
  const auto refused = world_.Call(&Broker::ReloadPolicy, world_.Connect(1000), false);
  EXPECT_EQ(GetErrorInfo(refused.status()).reason, Reason::kPolicy);
}

TEST_F(PolicyReloadTest, RootMayReloadUnderAPolicyThatLetsNobodyAdminister) {
  ASSERT_TRUE(rules_.Reload(Everything() + "rule { name: \"nobody\" effect: DENY action: ADMIN }").ok());
  EXPECT_FALSE(world_.broker->CheckAdminOrRoot({.subject = {.uid = 1000}}, "ReloadPolicy").ok());
  EXPECT_TRUE(world_.broker->CheckAdminOrRoot({.subject = {.uid = 0}}, "ReloadPolicy").ok());
  rules_.Write(Everything());
  const auto refused = world_.Call(&Broker::ReloadPolicy, world_.Connect(1000), false);
  EXPECT_EQ(GetErrorInfo(refused.status()).reason, Reason::kPolicy);
  const auto view = world_.Call(&Broker::ReloadPolicy, world_.Connect(0), false);
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_TRUE(world_.broker->CheckAdminOrRoot({.subject = {.uid = 1000}}, "ReloadPolicy").ok());
}

TEST_F(PolicyReloadTest, WithAnExportGoItsMappings) {
  rules_.Write(Without("EXPORT", "bob"));
  EXPECT_FALSE(rules_.TryReload().has_value());
  Ack(bob_);
  EXPECT_FALSE(HisReached());
  EXPECT_FALSE(world_.broker->GetExport(bob_.id, *his_.source).ok());
  EXPECT_TRUE(HersReached());
}

TEST_F(PolicyReloadTest, ADriverThatMayNotDriveLosesItsDevice) {
  rules_.Write(Without("DRIVE", "alice"));
  alice_.channel->on_quiesce = [this](const QuiesceNotice& notice) {
    world_.broker->AckQuiesce(alice_.id, notice.operation);
  };
  rules_.TryReload();
  EXPECT_THAT(alice_.channel->revoked, ElementsAre(CoreWorld::kEngine));
  EXPECT_EQ(world_.broker->GetDevice(CoreWorld::kEngine)->driver, std::nullopt);
  EXPECT_FALSE(HersReached());
  EXPECT_TRUE(HisReached());
}

TEST_F(PolicyReloadTest, AReloadInTheMiddleOfAResetRevokesWhatIsToComeBack) {
  const Client root = world_.Connect(0);
  EXPECT_FALSE(world_.Try(&Broker::ResetDevice, root, ResetArgs(CoreWorld::kExporter)).has_value());
  rules_.Write(Without("MAP", "alice"));
  const auto reset_of = alice_.channel->quiesces.back().operation;
  EXPECT_FALSE(rules_.TryReload().has_value());
  Ack(alice_);  // the reload's question
  EXPECT_FALSE(HersReached());
  world_.broker->AckQuiesce(alice_.id, reset_of);
  Ack(bob_);
  EXPECT_EQ(world_.broker->GetDevice(CoreWorld::kExporter)->state, DeviceState::kReady);
  EXPECT_FALSE(HersReached()) << "the reset does not bring it back";
  EXPECT_FALSE(world_.broker->GetMapping(alice_.id, hers_.id).ok());
  EXPECT_TRUE(HisReached());
}

// She stops for the reset, and has not yet answered the reload: what she may not have any more stays away meanwhile.
TEST_F(PolicyReloadTest, AResetDoesNotBringBackWhatIsStillToBeRevoked) {
  const Client root = world_.Connect(0);
  EXPECT_FALSE(world_.Try(&Broker::ResetDevice, root, ResetArgs(CoreWorld::kExporter)).has_value());
  const auto reset_of = alice_.channel->quiesces.back().operation;
  rules_.Write(Without("MAP", "alice"));
  EXPECT_FALSE(rules_.TryReload().has_value());
  world_.broker->AckQuiesce(alice_.id, reset_of);
  Ack(bob_);
  EXPECT_EQ(world_.broker->GetDevice(CoreWorld::kExporter)->state, DeviceState::kReady);
  EXPECT_FALSE(HersReached());
  EXPECT_TRUE(HisReached());
  Ack(alice_);
  EXPECT_FALSE(HersReached());
  const auto receipt = ReloadReceipt();
  ASSERT_THAT(receipt.mappings, SizeIs(1));
  EXPECT_EQ(receipt.mappings[0].state, MappingState::kRevoked);
  EXPECT_THAT(receipt.mappings[0].reason, HasSubstr("rule \"no more\" (policy:2) denies it"));
}

// The reload comes when the reset has unmapped it, and has yet to put it back.
TEST_F(PolicyReloadTest, WhatAResetHasUnmappedAlreadyStaysAway) {
  const Client root = world_.Connect(0);
  EXPECT_FALSE(world_.Try(&Broker::ResetDevice, root, ResetArgs(CoreWorld::kExporter)).has_value());
  Ack(alice_);
  rules_.Write(Without("MAP", "alice"));
  world_.broker->AckQuiesce(bob_.id, bob_.channel->quiesces.back().operation);
  // What this queues comes behind the UNMAPs that his ack queues, and before the reset, which those queue.
  world_.scheduler.Run([this] { world_.broker->Reload([](const absl::StatusOr<ReloadView>&) {}); });
  world_.scheduler.RunReady();
  EXPECT_EQ(world_.broker->GetDevice(CoreWorld::kExporter)->state, DeviceState::kReady);
  EXPECT_FALSE(HersReached());
  EXPECT_TRUE(HisReached());
  EXPECT_EQ(world_.broker->GetMapping(alice_.id, hers_.id)->state, MappingState::kSuspended) << "it met the reset";
  Ack(alice_);
  EXPECT_FALSE(world_.broker->GetMapping(alice_.id, hers_.id).ok());
}

TEST_F(PolicyReloadTest, WhatCouldNotBeUnmappedIsNotBroughtBackByALaterReset) {
  world_.kernel->FailNth(sim::Verb::kUnmap, 1, EIO);
  const auto view = ReloadWithoutHerMap();
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_EQ(ReloadReceipt().state, OperationState::kFailed);
  EXPECT_TRUE(HersReached()) << "the books say so, too: " << world_.broker->GetMapping(alice_.id, hers_.id).status();
  const Client root = world_.Connect(0);
  EXPECT_FALSE(world_.Try(&Broker::ResetDevice, root, ResetArgs(CoreWorld::kExporter)).has_value());
  Ack(alice_);
  Ack(bob_);
  EXPECT_FALSE(HersReached());
  EXPECT_FALSE(world_.broker->GetMapping(alice_.id, hers_.id).ok()) << "now it is gone";
  EXPECT_TRUE(HisReached());
}

TEST_F(PolicyReloadTest, WhoDoesNotStopATransferIsCutOffWhenItsTimeIsOver) {
  rules_.Write(Without("MAP", "alice"));
  EXPECT_FALSE(rules_.TryReload().has_value());
  ASSERT_THAT(alice_.channel->quiesces, SizeIs(1));
  EXPECT_TRUE(HersReached()) << "she may end what she has begun";
  const absl::Duration left = alice_.channel->quiesces[0].deadline - world_.scheduler.Now();
  world_.scheduler.Advance(left - absl::Milliseconds(1));
  EXPECT_TRUE(HersReached());
  world_.scheduler.Advance(absl::Milliseconds(1));
  EXPECT_FALSE(HersReached());
  const auto receipt = ReloadReceipt();
  EXPECT_EQ(receipt.state, OperationState::kSucceeded);
  ASSERT_THAT(receipt.parties, SizeIs(1));
  EXPECT_EQ(receipt.parties[0].answer, Answer::kForced);
  // However late she stops, it does not come back.
  Ack(alice_);
  EXPECT_FALSE(HersReached());
}

TEST_F(PolicyReloadTest, ADriverThatFallsDuringAResetOfItsDeviceLosesItThen) {
  const Client root = world_.Connect(0);
  EXPECT_FALSE(world_.Try(&Broker::ResetDevice, root, ResetArgs(CoreWorld::kEngine)).has_value());
  const auto reset_of = alice_.channel->quiesces.back().operation;
  rules_.Write(Without("DRIVE", "alice"));
  alice_.channel->on_quiesce = [this](const QuiesceNotice& notice) {
    world_.broker->AckQuiesce(alice_.id, notice.operation);
  };
  rules_.TryReload();
  alice_.channel->grants.clear();  // she closes it, as she was told to
  EXPECT_EQ(world_.broker->GetDevice(CoreWorld::kEngine)->driver, alice_.id) << "the reset is not over";
  world_.broker->AckQuiesce(alice_.id, reset_of);
  world_.scheduler.RunReady();
  EXPECT_EQ(world_.broker->GetDevice(CoreWorld::kEngine)->driver, std::nullopt);
  EXPECT_EQ(world_.broker->GetDevice(CoreWorld::kEngine)->state, DeviceState::kReady);
  EXPECT_FALSE(HersReached());
  const auto refused = world_.Call(&Broker::OpenDevice, alice_, CoreWorld::kEngine);
  EXPECT_EQ(GetErrorInfo(refused.status()).reason, Reason::kPolicy);
}

// Her device has been taken from her by the policy, whatever it was busy with at that time.
TEST_F(PolicyReloadTest, TheReceiptOfADriverThatFellDuringAResetSaysThatItWasThePolicy) {
  const Client root = world_.Connect(0);
  EXPECT_FALSE(world_.Try(&Broker::ResetDevice, root, ResetArgs(CoreWorld::kEngine)).has_value());
  rules_.Write(Without("DRIVE", "alice"));
  rules_.TryReload();
  alice_.channel->grants.clear();
  for (const QuiesceNotice& asked : alice_.channel->quiesces) {
    world_.broker->AckQuiesce(alice_.id, asked.operation);
  }
  world_.scheduler.RunReady();
  const auto operations = world_.broker->ListOperations(root.id);
  const auto taken = std::find_if(operations.begin(), operations.end(), [](const OperationView& view) {
    return view.kind == OperationKind::kPolicy && view.device == CoreWorld::kEngine;
  });
  ASSERT_NE(taken, operations.end());
  EXPECT_EQ(taken->state, OperationState::kSucceeded);
}

// What others have mapped of it goes with it, and the reset does not bring it back for a moment.
TEST_F(PolicyReloadTest, WithAnExporterWhoseDriverFallsDuringAResetGoesWhatIsMappedOfIt) {
  const Client carol = world_.Connect(1002);
  world_.Drive(carol, CoreWorld::kExporter2);
  const auto window = world_.Export(bob_, CoreWorld::kExporter2, {0, kMiB});
  const auto space = world_.broker->GetMapping(bob_.id, his_.id)->address_space;
  const auto mapping = world_.Map(bob_, window.id, space);
  const auto reached = [&] { return world_.Reaches(CoreWorld::kEngine2, CoreWorld::kExporter2, 0); };
  ASSERT_TRUE(reached());
  const Client root = world_.Connect(0);
  EXPECT_FALSE(world_.Try(&Broker::ResetDevice, root, ResetArgs(CoreWorld::kExporter2)).has_value());
  const auto reset_of = bob_.channel->quiesces.back().operation;
  rules_.Write(Without("DRIVE", "1002"));
  EXPECT_FALSE(rules_.TryReload().has_value());
  world_.broker->AckQuiesce(bob_.id, reset_of);
  Ack(carol);
  EXPECT_FALSE(reached());
  EXPECT_EQ(world_.broker->GetDevice(CoreWorld::kExporter2)->driver, std::nullopt);
  Ack(bob_);
  EXPECT_FALSE(world_.broker->GetMapping(bob_.id, mapping.id).ok());
  EXPECT_FALSE(world_.broker->GetExport(bob_.id, window.id).ok());
  EXPECT_TRUE(HisReached()) << "the other exporter's is still his";
}

// The groups of a session are those of its beginning: what was judged is what is done, and judged again.
TEST_F(PolicyReloadTest, ASessionIsJudgedByWhatTheKernelSaidOfItWhenItBegan) {
  const auto channel = std::make_shared<RecordingChannel>();
  const auto session = world_.broker->OpenSession({.subject = {.uid = 5, .gid = 5, .groups = {30}}}, channel);
  const Client member = {.id = session->id, .channel = channel};
  const auto window = world_.Export(member, CoreWorld::kExporter2, {0, kMiB});
  ASSERT_TRUE(rules_
                  .Reload(AllowRule("members", "EXPORT", "subject { group: \"storage\" }") +
                          AllowRule("all else", "OBSERVE, MAP, MAP_MEMORY, DRIVE, RESET, ADMIN") +
                          AllowRule("the others", "EXPORT", "subject { user: [\"alice\", \"bob\"] }"))
                  .ok());
  EXPECT_TRUE(world_.broker->GetExport(member.id, window.id).ok());
  EXPECT_EQ(world_.broker->GetExport(member.id, window.id)->rule, "members");
}

// Another device at the same address is another device: what was granted of the first went with it.
TEST_F(PolicyReloadTest, WhatWasGrantedOfADeviceThatWentIsNotTheNextOnes) {
  const auto window = world_.Export(alice_, CoreWorld::kExporter2, {0, kMiB});
  world_.kernel->Unplug(CoreWorld::kExporter2);
  world_.broker->Rescan();
  world_.scheduler.RunReady();
  world_.scheduler.Advance(absl::Seconds(1));
  EXPECT_FALSE(world_.broker->GetExport(alice_.id, window.id).ok());
  const auto view = rules_.Reload(Without("EXPORT", "root"));
  EXPECT_THAT(view->fallen, IsEmpty());
}

TEST_F(PolicyReloadTest, TheOldestGrantsStandWhereALimitShrinks) {
  const auto second = world_.Export(alice_, CoreWorld::kExporter2, {0, kMiB});
  const auto view = rules_.Reload(AllowRule("few", "EXPORT", "limits { max_count: 1 }") +
                                  AllowRule("else", "OBSERVE, MAP, MAP_MEMORY, DRIVE, RESET, ADMIN"));
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_THAT(Objects(*view), ElementsAre("exports/" + std::to_string(second.id.value())));
  EXPECT_TRUE(HersReached());
}

TEST_F(PolicyReloadTest, ANewTimeToLiveCountsFromTheGrant) {
  world_.scheduler.Advance(absl::Seconds(4));
  ASSERT_TRUE(rules_
                  .Reload(AllowRule("short", "MAP", "limits { time_to_live_seconds: 10 quiesce_deadline_ms: 1 }") +
                          AllowRule("else", "OBSERVE, EXPORT, MAP_MEMORY, DRIVE, RESET, ADMIN"))
                  .ok());
  world_.scheduler.Advance(absl::Milliseconds(5999));
  EXPECT_TRUE(HersReached());
  world_.scheduler.Advance(absl::Milliseconds(2));
  EXPECT_FALSE(HersReached());
}

TEST_F(PolicyReloadTest, AWatcherThatMayNotObserveAnyMoreSeesOnlyItsOwn) {
  const auto watcher = std::make_shared<RecordingWatcher>();
  ASSERT_TRUE(world_.broker->Watch(alice_.id, watcher).ok());
  ASSERT_TRUE(rules_.Reload(Without("OBSERVE", "alice")).ok());
  watcher->events.clear();
  world_.Export(bob_, CoreWorld::kExporter2, {0, kMiB});
  const auto saw_an_export = std::any_of(watcher->events.begin(), watcher->events.end(), [](const auto& event) {
    return std::holds_alternative<ExportView>(event->object);
  });
  EXPECT_FALSE(saw_an_export);
}

}  // namespace
}  // namespace p2pd
