#include "daemon/core/topology_view.h"

#include "daemon/core/testing/core_world.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(TopologyViewTest, ShowsTheManagedDevicesBelowWhatLeadsToThem) {
  CoreWorld world;
  const auto view = world.broker->GetTopology({});
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_THAT(view->managed, SizeIs(7));
  ASSERT_THAT(view->host_bridges, SizeIs(1));
  EXPECT_EQ(view->host_bridges[0].trust, Trust::kGood);
  std::set<PciAddress> before;
  for (const PciFunction& function : view->functions) {
    EXPECT_TRUE(!function.upstream.has_value() || before.contains(*function.upstream)) << function.address.ToString();
    before.insert(function.address);
  }
  EXPECT_THAT(view->functions, SizeIs(7 + 5)) << "a root port for each bus";
}

TEST(TopologyViewTest, JudgesEveryOrderedPair) {
  CoreWorld world;
  const TopologyView view = *world.broker->GetTopology({});
  ASSERT_THAT(view.paths, SizeIs(7 * 7));
  EXPECT_EQ(view.next_page, std::nullopt);
  for (const PathVerdict& path : view.paths) {
    // Every root port redirects, also what two functions behind it have for each other.
    const PathKind expected = path.exporter == path.importer ? PathKind::kSelf : PathKind::kThroughHostBridge;
    EXPECT_EQ(path.kind, expected) << path.exporter.ToString() << " -> " << path.importer.ToString() << path.reason;
    const bool twins = path.exporter.bus == 5 && path.importer.bus == 5 && path.exporter != path.importer;
    if (twins) {
      EXPECT_EQ(path.relation, Relation::kSameRootPort);
    }
  }
}

TEST(TopologyViewTest, AnswersInPagesAndTheNodesOnlyOnce) {
  CoreWorld world;
  const TopologyView all = *world.broker->GetTopology({});
  std::vector<PathVerdict> paths;
  TopologyQuery query = {.page = {.limit = 10}};
  for (int page = 0; page < 5; ++page) {
    const TopologyView view = *world.broker->GetTopology(query);
    EXPECT_EQ(view.functions.empty(), page > 0);
    paths.insert(paths.end(), view.paths.begin(), view.paths.end());
    ASSERT_EQ(view.next_page.has_value(), page < 4);
    query.page.after = view.next_page.value_or(0);
  }
  ASSERT_EQ(paths.size(), all.paths.size());
  for (size_t i = 0; i < paths.size(); ++i) {
    EXPECT_EQ(paths[i].exporter, all.paths[i].exporter);
    EXPECT_EQ(paths[i].importer, all.paths[i].importer);
  }
  query.page.after = 1000;
  EXPECT_THAT(world.broker->GetTopology(query)->paths, IsEmpty());
}

TEST(TopologyViewTest, ShowsOnePairOnDemand) {
  CoreWorld world;
  const TopologyQuery query = {.exporter = CoreWorld::kExporter, .importer = CoreWorld::kEngine};
  const TopologyView view = *world.broker->GetTopology(query);
  ASSERT_THAT(view.paths, SizeIs(1));
  EXPECT_EQ(view.paths[0].exporter, CoreWorld::kExporter);
  EXPECT_EQ(view.paths[0].importer, CoreWorld::kEngine);
  const PciAddress unknown = {.bus = 99};
  EXPECT_EQ(world.broker->GetTopology({.importer = unknown}).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace p2pd
