// A gRPC connection that breaks: the call is made again, with the request_id it had, until its deadline.
#include "client/error.h"
#include "client/testing/session_fixture.h"

namespace p2p::testing {
namespace {

class RetryTest : public SessionFixture {
 protected:
  // The connection breaks once p2pd has done the call but before the reply is out.
  void CutBeforeNextReply(const std::string& method) {
    p2pd_.calls().BeforeNextReply(method, [this] { p2pd_.CutGrpcConnections(); });
  }
};

TEST_F(RetryTest, ACallWhoseReplyWasLostIsDoneOnce) {
  const auto session = Connect();
  CutBeforeNextReply("CreateExport");
  const auto mine = session->CreateExport({.device = kExporter, .bar = 2, .length = 4096});
  ASSERT_TRUE(mine.ok()) << mine.status();
  EXPECT_EQ(session->ListExports()->size(), 1u);
  const auto calls = p2pd_.calls().Of("CreateExport");
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[0].request_id, calls[1].request_id);
  EXPECT_NE(calls[0].request_id, "");
  EXPECT_TRUE(calls[1].repeated);
}

TEST_F(RetryTest, AGrantOfTheFirstAttemptServesTheSecond) {
  const auto session = Connect();
  CutBeforeNextReply("OpenDevice");
  const auto device = session->OpenDevice(kExporter);
  ASSERT_TRUE(device.ok()) << device.status();
  EXPECT_GE(device->fd(), 0);
  EXPECT_EQ(p2pd_.calls().Of("OpenDevice").size(), 2u);
}

TEST_F(RetryTest, EachRequestHasAnIdOfItsOwn) {
  const auto session = Connect();
  const auto first = session->CreateExport({.device = kExporter, .bar = 2, .length = 4096});
  const auto second = session->CreateExport({.device = kExporter, .bar = 2, .length = 4096});
  const auto calls = p2pd_.calls().Of("CreateExport");
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_NE(calls[0].request_id, calls[1].request_id);
}

TEST_F(RetryTest, ARefusalOfP2pdIsNotTriedAgainEvenIfItIsUnavailable) {
  const auto session = Connect();
  v1::ErrorDetail detail;
  detail.set_reason(v1::ErrorDetail::DEVICE_NOT_READY);
  p2pd_.calls().FailNext("ResetDevice", MakeFailure(grpc::StatusCode::UNAVAILABLE, detail, "it resets already"));
  const absl::Status status = session->ResetDevice(kExporter).status();
  EXPECT_EQ(GetErrorDetail(status).reason(), v1::ErrorDetail::DEVICE_NOT_READY);
  EXPECT_EQ(p2pd_.calls().Of("ResetDevice").size(), 1u);
}

TEST_F(RetryTest, WhoeverWantsNoneIsToldOfTheBreak) {
  SessionOptions options = Options();
  options.retry = false;
  const auto session = Connect(options);
  CutBeforeNextReply("ResetDevice");
  EXPECT_TRUE(IsDisconnected(session->ResetDevice(kExporter).status()));
  EXPECT_EQ(p2pd_.calls().Of("ResetDevice").size(), 1u);
}

TEST_F(RetryTest, GivesUpWithinTheDeadlineWhenP2pdStaysAway) {
  SessionOptions options = Options();
  options.call_timeout = absl::Milliseconds(200);
  const auto session = Connect(options);
  p2pd_.CloseGrpcSocket();
  p2pd_.CutGrpcConnections();
  const absl::Time start = absl::Now();
  const absl::Status status = session->GetStatus().status();
  // A machine so busy that gRPC has not noticed by then is no fault.
  EXPECT_TRUE(IsDisconnected(status) || absl::IsDeadlineExceeded(status)) << status;
  EXPECT_LT(absl::Now() - start, absl::Seconds(5));
}

TEST_F(RetryTest, ACallThatBreaksEveryTimeIsNotMadeWithoutEnd) {
  SessionOptions options = Options();
  options.call_timeout = absl::Seconds(1);
  const auto session = Connect(options);
  p2pd_.calls().FailAlways("GetStatus", grpc::Status(grpc::StatusCode::UNAVAILABLE, "reset by peer"));
  EXPECT_TRUE(absl::IsUnavailable(session->GetStatus().status()));
  const size_t calls = p2pd_.calls().Of("GetStatus").size();
  EXPECT_GE(calls, 2u);
  EXPECT_LE(calls, 25u);
}

TEST_F(RetryTest, AnEndedSessionIsNotTriedAgain) {
  const auto session = Connect();
  p2pd_.calls().BeforeNextReply("ResetDevice", [this, &session] {
    p2pd_.HangUp();
    while (session->ended().ok()) std::this_thread::yield();
    p2pd_.CutGrpcConnections();
  });
  EXPECT_TRUE(IsDisconnected(session->ResetDevice(kExporter).status()));
  EXPECT_EQ(p2pd_.calls().Of("ResetDevice").size(), 1u);
}

}  // namespace
}  // namespace p2p::testing
