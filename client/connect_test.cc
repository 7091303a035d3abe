// Connecting: who this session is, and what is said when p2pd is not there.
#include "client/error.h"
#include "client/testing/session_fixture.h"

namespace p2p::testing {
namespace {

using ::testing::HasSubstr;
using ConnectTest = SessionFixture;

TEST_F(ConnectTest, TellsTheSessionsNameAndTheServersVersion) {
  const auto session = Connect();
  EXPECT_EQ(session->name(), "sessions/1");
  EXPECT_EQ(session->server_version(), "0.0.fake");
  EXPECT_TRUE(session->ended().ok());
}

TEST_F(ConnectTest, TwoSessionsOfOneProcessAreTwo) {
  const auto first = Connect();
  const auto second = Connect();
  EXPECT_NE(first->name(), second->name());
  EXPECT_EQ(first->ListSessions()->size(), 2u);
}

TEST_F(ConnectTest, SaysThatP2pdIsNotRunning) {
  SessionOptions options = Options();
  options.fd_socket += ".missing";
  const absl::Status status = Session::Connect(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(IsDisconnected(status));
  EXPECT_EQ(GetErrorDetail(status).errno_name(), "ENOENT");
  EXPECT_THAT(GetErrorDetail(status).hint(), HasSubstr("systemctl status p2pd"));
}

TEST_F(ConnectTest, NamesTheGrpcSocketWhereOnlyThatIsMissing) {
  p2pd_.CloseGrpcSocket();
  const absl::Status status = Session::Connect(Options()).status();
  EXPECT_TRUE(IsDisconnected(status));
  EXPECT_EQ(GetErrorDetail(status).object(), p2pd_.grpc_socket());
  EXPECT_EQ(GetErrorDetail(status).errno_name(), "ENOENT");
}

TEST_F(ConnectTest, GivesUpOnAPeerThatDoesNotAnswerHello) {
  p2pd_.AnswerHelloWith("");
  SessionOptions options = Options();
  options.connect_timeout = absl::Milliseconds(30);
  EXPECT_EQ(Session::Connect(options).status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(ConnectTest, TimeoutsWithoutAnEndAreFine) {
  SessionOptions options = Options();
  options.connect_timeout = absl::InfiniteDuration();
  options.call_timeout = absl::InfiniteDuration();
  const auto session = Connect(options);
  EXPECT_TRUE(session->OpenDevice(kExporter).ok());
}

TEST_F(ConnectTest, PassesOnWhyP2pdRefusesASession) {
  v1::ServerFrame ended;
  ended.mutable_ended()->set_reason("uid 1000 has 64 sessions already");
  p2pd_.AnswerHelloWith(ended.SerializeAsString());
  const absl::Status status = Session::Connect(Options()).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("uid 1000 has 64 sessions already"));
  EXPECT_TRUE(IsDisconnected(status));
}

TEST_F(ConnectTest, RefusesAPeerThatIsNotP2pd) {
  p2pd_.AnswerHelloWith("HTTP/1.1 400 Bad Request");
  EXPECT_EQ(Session::Connect(Options()).status().code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace p2p::testing
