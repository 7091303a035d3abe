// What a rule's limits hold a grant to.
#include "daemon/base/errors.h"
#include "daemon/core/testing/policy_world.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr uint64_t kMiB = 1 << 20;

Window WindowAt(uint64_t offset, uint64_t length = kMiB) {
  return {.device = CoreWorld::kExporter, .bar = 2, .range = {offset, length}};
}

// Everything is allowed; each test limits one action.
std::string Limiting(const std::string& action, const std::string& limits) {
  std::string others;
  for (const char* other : {"EXPORT", "MAP", "MAP_MEMORY", "DRIVE", "RECEIVE_FD", "RESET", "OBSERVE"}) {
    if (other != action) others += (others.empty() ? "" : ", ") + std::string(other);
  }
  return AllowRule("limited", action, "limits { " + limits + " }") + AllowRule("all else", others);
}

absl::StatusOr<ExportView> TryExport(PolicyWorld& rules, const Client& client, const Window& window,
                                     Terms terms = Grade::kMapped) {
  return rules.world.Call(&Broker::CreateExport, client, window, terms);
}

TEST(PolicyLimitsTest, AUserHoldsNoMoreGrantsThanItsRuleLets) {
  PolicyWorld rules(Limiting("EXPORT", "max_count: 2"));
  const Client alice = rules.world.Connect(1000);
  const Client bob = rules.world.Connect(1001);
  const auto first = TryExport(rules, alice, WindowAt(0));
  ASSERT_TRUE(TryExport(rules, alice, WindowAt(kMiB)).ok());
  const auto third = TryExport(rules, alice, WindowAt(2 * kMiB));
  EXPECT_EQ(GetErrorInfo(third.status()).reason, Reason::kQuota);
  EXPECT_THAT(GetErrorInfo(third.status()).object, HasSubstr("\"limited\" (policy:1)"));
  EXPECT_TRUE(TryExport(rules, bob, WindowAt(2 * kMiB)).ok()) << "every user has its own";
  ASSERT_TRUE(rules.world.Call(&Broker::DeleteExport, alice, first->id).ok());
  EXPECT_TRUE(TryExport(rules, alice, WindowAt(3 * kMiB)).ok()) << "what was released counts no more";
}

TEST(PolicyLimitsTest, AnotherSessionOfTheUserCountsToo) {
  PolicyWorld rules(Limiting("EXPORT", "max_bytes: 1048576"));
  ASSERT_TRUE(TryExport(rules, rules.world.Connect(1000), WindowAt(0)).ok());
  EXPECT_FALSE(TryExport(rules, rules.world.Connect(1000), WindowAt(kMiB, 4096)).ok());
}

TEST(PolicyLimitsTest, MappingsAreCountedAsTheyAreMadeAndUnmapped) {
  PolicyWorld rules(Limiting("MAP", "max_bytes: 1048576"));
  const Client client = rules.world.Connect();
  rules.world.Drive(client, CoreWorld::kEngine);
  const auto space = rules.world.Space(client, CoreWorld::kEngine);
  const auto window = rules.world.Export(client, CoreWorld::kExporter, {0, kMiB});
  const auto mapping = rules.world.Map(client, window.id, space.id);
  const MapArgs again = {.source = window.id, .address_space = space.id};
  EXPECT_FALSE(rules.world.Call(&Broker::Map, client, again).ok());
  ASSERT_TRUE(rules.world.Call(&Broker::Unmap, client, mapping.id).ok());
  EXPECT_TRUE(rules.world.Call(&Broker::Map, client, again).ok());
}

TEST(PolicyLimitsTest, ABatchCountsEachOfItsMappingsAndUndoesAll) {
  PolicyWorld rules(Limiting("MAP", "max_count: 2"));
  const Client client = rules.world.Connect();
  rules.world.Drive(client, CoreWorld::kEngine);
  const auto space = rules.world.Space(client, CoreWorld::kEngine);
  const auto window = rules.world.Export(client, CoreWorld::kExporter, {0, kMiB});
  const MapArgs one = {.source = window.id, .address_space = space.id};
  EXPECT_FALSE(rules.world.Call(&Broker::BatchMap, client, std::vector<MapArgs>{one, one, one}).ok());
  EXPECT_THAT(rules.world.broker->ListMappings(client.id), IsEmpty());
  EXPECT_TRUE(rules.world.Call(&Broker::BatchMap, client, std::vector<MapArgs>{one, one}).ok());
}

TEST(PolicyLimitsTest, ADriverOfTooManyDevicesIsRefused) {
  PolicyWorld rules(Limiting("DRIVE", "max_count: 1"));
  const Client client = rules.world.Connect();
  rules.world.Drive(client, CoreWorld::kEngine);
  EXPECT_FALSE(rules.world.Call(&Broker::OpenDevice, client, CoreWorld::kEngine2).ok());
  ASSERT_TRUE(rules.world.Call(&Broker::CloseDevice, client, CoreWorld::kEngine).ok());
  EXPECT_TRUE(rules.world.Call(&Broker::OpenDevice, client, CoreWorld::kEngine2).ok());
}

TEST(PolicyLimitsTest, ARenewalDoesNotOutliveTheRule) {
  PolicyWorld rules(Limiting("EXPORT", "time_to_live_seconds: 10"));
  const Client client = rules.world.Connect();
  const auto window = TryExport(rules, client, WindowAt(0), Terms(Grade::kMapped, absl::Seconds(8)));
  ASSERT_TRUE(window.ok());
  rules.world.scheduler.Advance(absl::Seconds(6));
  ASSERT_TRUE(rules.world.Call(&Broker::RenewExport, client, window->id, absl::Duration(absl::Hours(1))).ok());
  rules.world.scheduler.Advance(absl::Milliseconds(3999));
  EXPECT_TRUE(rules.world.broker->GetExport(client.id, window->id).ok());
  rules.world.scheduler.Advance(absl::Milliseconds(1));
  EXPECT_FALSE(rules.world.broker->GetExport(client.id, window->id).ok());
}

TEST(PolicyLimitsTest, AMappingIsRevokedWhenItIsAsOldAsItsRuleLets) {
  PolicyWorld rules(Limiting("MAP", "time_to_live_seconds: 5"));
  const Client client = rules.world.Connect();
  rules.world.Drive(client, CoreWorld::kEngine);
  const auto space = rules.world.Space(client, CoreWorld::kEngine);
  const auto window = rules.world.Export(client, CoreWorld::kExporter, {0, kMiB});
  const auto mapping = rules.world.Map(client, window.id, space.id);
  rules.world.scheduler.Advance(absl::Seconds(5));
  ASSERT_THAT(client.channel->quiesces, SizeIs(1));
  rules.world.broker->AckQuiesce(client.id, client.channel->quiesces[0].operation);
  rules.world.scheduler.RunReady();
  EXPECT_FALSE(rules.world.broker->GetMapping(client.id, mapping.id).ok());
  EXPECT_FALSE(rules.world.Reaches(CoreWorld::kEngine, CoreWorld::kExporter, 0));
  const auto receipt = rules.world.broker->ListOperations(client.id).back();
  EXPECT_EQ(receipt.kind, OperationKind::kExpiry);
  EXPECT_THAT(rules.world.broker->GetOperation(client.id, receipt.id)->mappings[0].reason,
              HasSubstr("rule limited (policy:1)"));
}

TEST(PolicyLimitsTest, ADeviceIsTakenFromItsDriverWhenItsTimeIsOver) {
  PolicyWorld rules(Limiting("DRIVE", "time_to_live_seconds: 5"));
  const Client client = rules.world.Connect();
  rules.world.Drive(client, CoreWorld::kEngine);
  rules.world.scheduler.Advance(absl::Seconds(5));
  EXPECT_EQ(client.channel->revoked, std::vector<PciAddress>{CoreWorld::kEngine});
  const Client next = rules.world.Connect(1001);
  client.channel->grants.clear();  // it closes its fd
  rules.world.scheduler.Advance(absl::Seconds(1));
  rules.world.Drive(next, CoreWorld::kEngine);
  rules.world.scheduler.Advance(absl::Milliseconds(4999));
  EXPECT_THAT(next.channel->revoked, IsEmpty()) << "its own time counts";
}

// Two users of one window's device: each has the time that its rule gives.
TEST(PolicyLimitsTest, WhoGetsLessTimeToStopIsCutOffEarlier) {
  PolicyWorld rules(AllowRule("hasty", "MAP", "subject { user: \"alice\" } limits { quiesce_deadline_ms: 100 }") +
                    AllowRule("patient", "MAP", "limits { quiesce_deadline_ms: 5000 }") +
                    AllowRule("all else", "EXPORT, DRIVE, RESET"));
  CoreWorld& world = rules.world;
  const Client alice = world.Connect(1000);
  const Client bob = world.Connect(1001);
  world.Drive(alice, CoreWorld::kEngine);
  world.Drive(bob, CoreWorld::kEngine2);
  const auto hers = world.Export(alice, CoreWorld::kExporter, {0, kMiB});
  const auto his = world.Export(bob, CoreWorld::kExporter, {kMiB, kMiB});
  world.Map(alice, hers.id, world.Space(alice, CoreWorld::kEngine).id);
  world.Map(bob, his.id, world.Space(bob, CoreWorld::kEngine2).id);
  const Client root = world.Connect(0);
  EXPECT_FALSE(world.Try(&Broker::ResetDevice, root, ResetArgs(CoreWorld::kExporter)).has_value());
  EXPECT_EQ(alice.channel->quiesces[0].deadline + absl::Milliseconds(4900), bob.channel->quiesces[0].deadline);
  world.scheduler.Advance(absl::Milliseconds(99));
  EXPECT_TRUE(world.Reaches(CoreWorld::kEngine, CoreWorld::kExporter, 0));
  world.scheduler.Advance(absl::Milliseconds(1));
  EXPECT_FALSE(world.Reaches(CoreWorld::kEngine, CoreWorld::kExporter, 0));
  EXPECT_TRUE(world.Reaches(CoreWorld::kEngine2, CoreWorld::kExporter, kMiB)) << "it has not answered yet";
  world.broker->AckQuiesce(bob.id, bob.channel->quiesces[0].operation);
  world.scheduler.RunReady();
  EXPECT_TRUE(world.Reaches(CoreWorld::kEngine2, CoreWorld::kExporter, kMiB)) << "restored";
  EXPECT_FALSE(world.Reaches(CoreWorld::kEngine, CoreWorld::kExporter, 0)) << "nobody vouches that it stopped";
  world.broker->AckQuiesce(alice.id, alice.channel->quiesces[0].operation);
  world.scheduler.RunReady();
  EXPECT_TRUE(world.Reaches(CoreWorld::kEngine, CoreWorld::kExporter, 0));
}

TEST(PolicyLimitsTest, WindowsOverlapOnlyWhereBothRulesShare) {
  PolicyWorld rules(AllowRule("sharing", "EXPORT", "subject { user: [\"alice\", \"bob\"] } limits { shared: true }") +
                    AllowRule("alone", "EXPORT"));
  ASSERT_TRUE(TryExport(rules, rules.world.Connect(1000), WindowAt(0)).ok());
  EXPECT_TRUE(TryExport(rules, rules.world.Connect(1001), WindowAt(0)).ok());
  const auto refused = TryExport(rules, rules.world.Connect(0), WindowAt(0));
  EXPECT_EQ(GetErrorInfo(refused.status()).reason, Reason::kOverlap);
}

TEST(PolicyLimitsTest, AGrantNamesItsRuleAndItsPlace) {
  PolicyWorld rules(Limiting("EXPORT", "max_count: 1"));
  const Client client = rules.world.Connect();
  const auto window = TryExport(rules, client, WindowAt(0));
  EXPECT_EQ(window->rule, "limited");
  EXPECT_EQ(window->rule_origin, "policy:1");
  rules.world.Drive(client, CoreWorld::kEngine);
  const auto mapping = rules.world.Map(client, window->id, rules.world.Space(client, CoreWorld::kEngine).id);
  EXPECT_EQ(mapping.rule, "all else");
  EXPECT_EQ(mapping.rule_origin, "policy:2");
}

}  // namespace
}  // namespace p2pd
