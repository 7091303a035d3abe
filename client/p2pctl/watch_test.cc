// Watching, bounded, as scripts do.
#include "absl/strings/str_split.h"
#include "client/p2pctl/p2pctl_fixture.h"
#include "google/protobuf/util/json_util.h"

namespace p2p::ctl {
namespace {

using ::p2p::testing::FakeState;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using WatchTest = P2pctlFixture;

TEST_F(WatchTest, ShowsTheSnapshotOneLineAnEvent) {
  EXPECT_EQ(Run({"watch", "--until-in-sync"}), ExitStatus::kOk);
  EXPECT_THAT(out_, AllOf(HasSubstr(" SNAPSHOT devices/0000:01:00.0 READY generation 1\n"), EndsWith(" IN_SYNC\n")));
}

TEST_F(WatchTest, StopsAfterTheCount) {
  EXPECT_EQ(Run({"watch", "--count", "2"}), ExitStatus::kOk);
  EXPECT_EQ(std::count(out_.begin(), out_.end(), '\n'), 2);
}

TEST_F(WatchTest, JsonIsOneObjectALine) {
  EXPECT_EQ(Run({"watch", "--until-in-sync", "--json"}), ExitStatus::kOk);
  std::vector<std::string> lines = absl::StrSplit(out_, '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 3u);
  v1::Event event;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(lines[0], &event).ok()) << lines[0];
  EXPECT_EQ(event.device().name(), "devices/0000:01:00.0");
}

TEST_F(WatchTest, SaysWhenP2pdEndsTheStream) {
  v1::ErrorDetail detail;
  detail.set_reason(v1::ErrorDetail::QUOTA);
  detail.set_step("WatchEvents");
  detail.set_object("sessions/1");
  p2pd_.calls().FailNext("WatchEvents",
                         p2p::testing::MakeFailure(grpc::StatusCode::RESOURCE_EXHAUSTED, detail, "read too slowly"));
  EXPECT_EQ(Run({"watch"}), ExitStatus::kFailed);
  EXPECT_EQ(err_, "p2pctl: WatchEvents: sessions/1: read too slowly\n");
}

TEST_F(WatchTest, AWatchThatFellBehindBeginsAnewAndSaysSo) {
  v1::ErrorDetail detail;
  detail.set_reason(v1::ErrorDetail::FELL_BEHIND);
  const auto fell_behind = p2p::testing::MakeFailure(grpc::StatusCode::RESOURCE_EXHAUSTED, detail, "too slow");
  p2pd_.calls().FailNext("WatchEvents", fell_behind);
  EXPECT_EQ(Run({"watch", "--until-in-sync"}), ExitStatus::kOk);
  EXPECT_EQ(err_, "p2pctl: events were lost: this watch fell behind; what follows is everything as it is now\n");
  EXPECT_THAT(out_, AllOf(HasSubstr(" SNAPSHOT devices/0000:01:00.0"), EndsWith(" IN_SYNC\n")));
  p2pd_.calls().FailNext("WatchEvents", fell_behind);
  EXPECT_EQ(Run({"watch", "--until-in-sync", "--json"}), ExitStatus::kOk);
  EXPECT_THAT(err_, StartsWith("{\"note\":\"events were lost"));
}

}  // namespace
}  // namespace p2p::ctl
