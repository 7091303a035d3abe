// By which way DMA would go is part of what the policy is asked.
#include "daemon/base/errors.h"
#include "daemon/core/testing/policy_world.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kMiB = 1 << 20;

class PolicyPathsTest : public ::testing::Test {
 protected:
  absl::StatusOr<MappingView> Map(PolicyWorld& rules, const PciAddress& exporter, const PciAddress& importer) {
    CoreWorld& world = rules.world;
    const Client client = world.Connect();
    world.Drive(client, importer);
    if (exporter == CoreWorld::kExporter && importer != exporter) world.Drive(client, exporter);
    const auto window = world.Export(client, exporter, {0, kMiB});
    const auto space = world.Space(client, importer);
    return world.Call(&Broker::Map, client, MapArgs{.source = window.id, .address_space = space.id});
  }
  static constexpr char kOthers[] = "EXPORT, DRIVE, MAP_MEMORY";
};

TEST_F(PolicyPathsTest, AWayThatIsNotKnownGoodIsRefused) {
  PolicyWorld rules(AllowRule("map", "MAP") + AllowRule("others", kOthers));
  rules.DistrustHostBridges();
  const auto refused = Map(rules, CoreWorld::kExporter, CoreWorld::kEngine);
  EXPECT_EQ(GetErrorInfo(refused.status()).reason, Reason::kPolicy);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("\"map\" (policy:1)"));
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("unsupported_path"));
}

TEST_F(PolicyPathsTest, AWayThatIsNotKnownGoodIsTakenWhereARuleSaysSo) {
  PolicyWorld rules(AllowRule("map", "MAP", "unsupported_path: true") + AllowRule("others", kOthers));
  rules.DistrustHostBridges();
  const auto made = Map(rules, CoreWorld::kExporter, CoreWorld::kEngine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->rule_origin, "policy:1");
}

TEST_F(PolicyPathsTest, AGoodWayNeedsNoWords) {
  PolicyWorld rules(AllowRule("map", "MAP") + AllowRule("others", kOthers));
  EXPECT_TRUE(Map(rules, CoreWorld::kExporter, CoreWorld::kEngine).ok());
}

TEST_F(PolicyPathsTest, ADevicesWayToItselfIsRefused) {
  PolicyWorld rules(AllowRule("map", "MAP") + AllowRule("others", kOthers));
  EXPECT_FALSE(Map(rules, CoreWorld::kExporter, CoreWorld::kExporter).ok());
}

TEST_F(PolicyPathsTest, ABatchIsJudgedLikewise) {
  PolicyWorld rules(AllowRule("map", "MAP") + AllowRule("others", kOthers));
  rules.DistrustHostBridges();
  const Client client = rules.world.Connect();
  rules.world.Drive(client, CoreWorld::kEngine);
  const auto window = rules.world.Export(client, CoreWorld::kExporter, {0, kMiB});
  const auto space = rules.world.Space(client, CoreWorld::kEngine);
  const MapArgs one = {.source = window.id, .address_space = space.id};
  const auto refused = rules.world.Call(&Broker::BatchMap, client, std::vector<MapArgs>{one, one});
  EXPECT_EQ(GetErrorInfo(refused.status()).reason, Reason::kPolicy);
}

TEST_F(PolicyPathsTest, ARuleMayAskForNearness) {
  PolicyWorld rules(AllowRule("near", "MAP", "when { path: SAME_SWITCH }") + AllowRule("others", kOthers));
  const auto refused = Map(rules, CoreWorld::kExporter, CoreWorld::kEngine);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("devices below one switch"));
  PolicyWorld wider(AllowRule("near", "MAP", "when { path: SAME_HOST_BRIDGE }") + AllowRule("others", kOthers));
  EXPECT_TRUE(Map(wider, CoreWorld::kExporter, CoreWorld::kEngine).ok());
}

}  // namespace
}  // namespace p2pd
