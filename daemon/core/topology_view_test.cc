#include "daemon/core/topology_view.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "daemon/core/testing/core_world.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;
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

TEST(TopologyViewTest, AsksForWhatSysfsCutsShortWithoutHoldingAnybodyUp) {
  absl::StatusOr<std::string> answer = absl::UnavailableError("nobody answers");
  Broker* broker = nullptr;
  BrokerOptions options;
  options.config_source = [&](const std::vector<PciAddress>& functions) {
    if (broker != nullptr) broker->GetStatus();  // would wait for ever if core's lock were held
    return std::vector(functions.size(), answer);
  };
  CoreWorld world(options);
  broker = world.broker.get();
  const PciAddress twin = {.bus = 5};
  const TopologyQuery query = {.exporter = twin, .importer = PciAddress{.bus = 5, .function = 1}};
  const auto path = [&] { return world.broker->GetTopology(query)->paths.at(0); };
  const std::string port = path().common_bridge.value_or(PciAddress()).ToString();
  const auto config = std::filesystem::path(world.sysfs()) / "bus/pci/devices" / port / "config";
  std::ifstream file(config, std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::filesystem::resize_file(config, 64);
  world.broker->Rescan();
  world.scheduler.RunReady();
  EXPECT_EQ(path().kind, PathKind::kUnknown);
  EXPECT_THAT(path().reason, HasSubstr(port + " is unknown"));
  EXPECT_THAT(path().reason, HasSubstr("nobody answers"));
  answer = whole;
  world.broker->Rescan();
  world.scheduler.RunReady();
  EXPECT_EQ(path().kind, PathKind::kThroughHostBridge);
}

}  // namespace
}  // namespace p2pd
