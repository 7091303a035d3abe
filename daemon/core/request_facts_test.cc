#include "daemon/core/request_facts.h"

#include "gtest/gtest.h"

namespace p2pd {
namespace {

constexpr PciAddress kDevice = {.bus = 1};

DeviceFacts WithAts(Presence presence, bool enabled) {
  Topology topology;
  topology.tree.functions[kDevice] = {.address = kDevice, .config = {.ats = presence, .ats_enabled = enabled}};
  return FactsOf(DeviceView{.address = kDevice}, topology);
}

TEST(RequestFactsTest, AtsThatTheKernelMayTurnOnIsNotKnown) {
  EXPECT_EQ(WithAts(Presence::kPresent, true).ats, true);
  EXPECT_EQ(WithAts(Presence::kPresent, false).ats, std::nullopt);
  EXPECT_EQ(WithAts(Presence::kAbsent, false).ats, false);
  EXPECT_EQ(WithAts(Presence::kUnknown, false).ats, std::nullopt);
  EXPECT_EQ(FactsOf(DeviceView{.address = kDevice}, Topology()).ats, std::nullopt);
}

TEST(RequestFactsTest, ANodeThatTheKernelDoesNotTellIsNotKnown) {
  EXPECT_EQ(FactsOf(DeviceView{.numa_node = -1}, Topology()).numa_node, std::nullopt);
  EXPECT_EQ(FactsOf(DeviceView{.numa_node = 0}, Topology()).numa_node, 0);
}

// The word for the way does not matter: mapped windows lie at IOVAs.
TEST(RequestFactsTest, AWayIsSupportedExactlyWhereItsHostBridgesAreKnownGood) {
  for (const PathKind kind : {PathKind::kBusAddress, PathKind::kThroughHostBridge, PathKind::kNotSupported}) {
    const PathVerdict good = {.kind = kind, .relation = Relation::kSameSwitch, .host_bridge_trust = Trust::kGood};
    EXPECT_TRUE(FactsOf(good).supported);
    PathVerdict bad = good;
    bad.host_bridge_trust = Trust::kNotListed;
    EXPECT_FALSE(FactsOf(bad).supported);
    bad.host_bridge_trust = Trust::kUnknown;
    EXPECT_FALSE(FactsOf(bad).supported);
  }
}

TEST(RequestFactsTest, AWayThatCannotBeToldOrLeadsBackIsNotSupported) {
  const PathVerdict nowhere = {.relation = Relation::kUnknown, .host_bridge_trust = Trust::kGood};
  EXPECT_EQ(FactsOf(nowhere).relation, std::nullopt);
  EXPECT_FALSE(FactsOf(nowhere).supported);
  const PathVerdict cut_short = {
      .kind = PathKind::kUnknown, .relation = Relation::kSameSwitch, .host_bridge_trust = Trust::kGood};
  EXPECT_FALSE(FactsOf(cut_short).supported) << "a register on it could not be read";
  const PathVerdict self = {.kind = PathKind::kSelf, .relation = Relation::kSelf, .host_bridge_trust = Trust::kGood};
  EXPECT_EQ(FactsOf(self).relation, PathRelation::kSelf);
  EXPECT_FALSE(FactsOf(self).supported);
}

TEST(RequestFactsTest, RelationsKeepTheirOrder) {
  EXPECT_EQ(FactsOf(PathVerdict{.relation = Relation::kSameSwitch}).relation, PathRelation::kSwitch);
  EXPECT_EQ(FactsOf(PathVerdict{.relation = Relation::kSameRootPort}).relation, PathRelation::kRootPort);
  EXPECT_EQ(FactsOf(PathVerdict{.relation = Relation::kSameHostBridge}).relation, PathRelation::kHostBridge);
  EXPECT_EQ(FactsOf(PathVerdict{.relation = Relation::kApart}).relation, PathRelation::kNothing);
}

}  // namespace
}  // namespace p2pd
