// GetTopology through the sockets: whoever has a session may look, in pages, at all of it or one pair.
#include <set>
#include <string>

#include "gtest/gtest.h"
#include "tests/component/raw_client.h"
#include "tests/component/test_daemon.h"

namespace p2pd {
namespace {

constexpr char kExporter[] = "devices/0000:01:00.0";
constexpr char kImporter[] = "devices/0000:02:00.0";

class TopologyTest : public ::testing::Test {
 protected:
  TopologyTest()
      : daemon_({.policy = "rule { name: 'nothing' effect: DENY action: OBSERVE }"}),
        client_(daemon_.fd_path()),
        stub_(daemon_.NewStub()) {
    client_.Hello();
  }
  grpc::Status Get(const v1::GetTopologyRequest& request) {
    return stub_->GetTopology(CallAs(client_.welcome().token()).get(), request, &topology_);
  }

  TestDaemon daemon_;
  RawClient client_;
  std::unique_ptr<v1::Broker::Stub> stub_;
  v1::Topology topology_;
};

TEST_F(TopologyTest, WhoeverHasASessionMayLook) {
  ASSERT_TRUE(Get({}).ok());
  EXPECT_EQ(topology_.paths_size(), 4 * 4);
  std::set<std::string> names;
  for (const auto& node : topology_.nodes()) {
    EXPECT_TRUE(node.parent().empty() || names.contains(node.parent())) << node.name();
    names.insert(node.name());
  }
  EXPECT_TRUE(names.contains(kExporter));
  EXPECT_EQ(stub_->GetTopology(CallAs("nobody's").get(), {}, &topology_).error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(TopologyTest, TwoRootPortsOfAGoodHostBridge) {
  v1::GetTopologyRequest request;
  request.set_exporter(kExporter);
  request.set_importer(kImporter);
  ASSERT_TRUE(Get(request).ok());
  ASSERT_EQ(topology_.paths_size(), 1);
  const auto& path = topology_.paths(0);
  EXPECT_EQ(path.exporter(), kExporter);
  EXPECT_EQ(path.kind(), v1::Topology::Path::THRU_HOST_BRIDGE);
  EXPECT_EQ(path.relation(), v1::Topology::Path::SAME_HOST_BRIDGE);
  EXPECT_EQ(path.distance(), 4);
  EXPECT_FALSE(path.reason().empty());
}

TEST_F(TopologyTest, PagesEndAndTheNodesComeOnce) {
  v1::GetTopologyRequest request;
  request.set_page_size(5);
  int paths = 0;
  int pages = 0;
  do {
    ASSERT_TRUE(Get(request).ok());
    EXPECT_EQ(topology_.nodes().empty(), pages > 0);
    paths += topology_.paths_size();
    request.set_page_token(topology_.next_page_token());
  } while (++pages < 10 && !request.page_token().empty());
  EXPECT_EQ(pages, 4);
  EXPECT_EQ(paths, 16);
}

TEST_F(TopologyTest, ADeviceThatIsNotThereHasNoWays) {
  v1::GetTopologyRequest request;
  request.set_importer("devices/0000:77:00.0");
  EXPECT_EQ(Get(request).error_code(), grpc::StatusCode::NOT_FOUND);
  request.set_importer("0000:01:00.0");
  EXPECT_EQ(Get(request).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace p2pd
