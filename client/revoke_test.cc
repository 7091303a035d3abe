// What an administrator may do to others, and the calls that only look.
#include <future>

#include "client/error.h"
#include "client/testing/session_fixture.h"

namespace p2p::testing {
namespace {

using ::testing::HasSubstr;
using RevokeTest = SessionFixture;

TEST_F(RevokeTest, EndsAnotherSessionWhichIsToldWhy) {
  std::promise<absl::Status> ended;
  SessionOptions options = Options();
  options.on_ended = [&ended](const absl::Status& why) { ended.set_value(why); };
  const auto victim = Connect(options);
  const auto held = victim->CreateExport({.device = kExporter, .bar = 2, .length = 4096});
  const auto admin = Connect();
  const auto receipt = admin->RevokeSession(victim->name(), "maintenance");
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_EQ(receipt->kind(), v1::Operation::SESSION_END);
  EXPECT_THAT(std::string(ended.get_future().get().message()), HasSubstr("maintenance"));
  EXPECT_TRUE(admin->ListExports()->empty());
  EXPECT_EQ(admin->RevokeSession(victim->name(), "").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(RevokeTest, TakesAnothersExportAway) {
  const auto victim = Connect();
  auto held = victim->CreateExport({.device = kExporter, .bar = 2, .length = 4096});
  const auto admin = Connect();
  const auto receipt = admin->RevokeExport(held->name(), "needed elsewhere");
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_EQ(receipt->kind(), v1::Operation::RELEASE);
  EXPECT_TRUE(victim->ListExports()->empty());
  EXPECT_TRUE(victim->ended().ok());
  EXPECT_TRUE(held->Release().ok());
}

TEST_F(RevokeTest, IsDoneOnceWhenTheReplyIsLost) {
  const auto victim = Connect();
  const auto admin = Connect();
  p2pd_.calls().BeforeNextReply("RevokeSession", [this] { p2pd_.CutGrpcConnections(); });
  const auto receipt = admin->RevokeSession(victim->name(), "maintenance");
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_EQ(p2pd_.calls().Of("RevokeSession").size(), 2u);
  EXPECT_EQ(admin->ListOperations()->size(), 1u);
}

TEST_F(RevokeTest, GetSessionTellsWhoOneIs) {
  const auto session = Connect();
  EXPECT_EQ(session->GetSession(session->name())->client(), "a test");
  EXPECT_EQ(session->GetSession("sessions/99").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(RevokeTest, PingTellsHowLongTheWayTakes) {
  const auto session = Connect();
  const auto took = session->Ping();
  ASSERT_TRUE(took.ok()) << took.status();
  EXPECT_GT(*took, absl::ZeroDuration());
  v1::ErrorDetail detail;
  p2pd_.calls().FailNext("Ping", MakeFailure(grpc::StatusCode::RESOURCE_EXHAUSTED, detail, "too busy"));
  EXPECT_EQ(session->Ping().status().code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace p2p::testing
