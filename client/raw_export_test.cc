// Exports of grade RAW: their dma-buf reaches the call that asked for it, and none is left over.
#include <fcntl.h>

#include <atomic>
#include <future>
#include <thread>
#include <utility>

#include "client/error.h"
#include "client/testing/open_fds.h"
#include "client/testing/session_fixture.h"

namespace p2p::testing {
namespace {

const WindowOptions kRawWindow = {.device = kExporter, .bar = 2, .length = 65536, .grade = v1::RAW};

class RawExportTest : public SessionFixture {
 protected:
  static int DmaBufs() { return CountOpenFds(FakeP2pd::kDmaBuf); }

  // What p2pd sent before this has been dealt with after it.
  static void Flush(Session& session) {
    const auto memory = SealedMemory::Create("flush", 4096);
    ASSERT_TRUE(session.OfferMemory(memory->fd()).ok());
  }
};

TEST_F(RawExportTest, HasItsDmaBuf) {
  const auto session = Connect();
  const auto window = session->CreateExport(kRawWindow);
  ASSERT_TRUE(window.ok()) << window.status();
  EXPECT_EQ(window->info().grade(), v1::RAW);
  EXPECT_EQ(fcntl(window->dma_buf(), F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(DmaBufs(), 1);
}

TEST_F(RawExportTest, AMappedOneHasNone) {
  const auto session = Connect();
  const auto window = session->CreateExport({.device = kExporter, .bar = 2, .length = 65536});
  ASSERT_TRUE(window.ok()) << window.status();
  EXPECT_EQ(window->info().grade(), v1::MAPPED);
  EXPECT_EQ(window->dma_buf(), -1);
  EXPECT_EQ(DmaBufs(), 0);
}

TEST_F(RawExportTest, ReleaseClosesTheDmaBufBeforeItAsksP2pd) {
  const auto session = Connect();
  auto window = session->CreateExport(kRawWindow);
  ASSERT_TRUE(window.ok()) << window.status();
  std::atomic<int> then = -1;  // The call that orders both passes through a gRPC that ThreadSanitizer cannot see.
  p2pd_.calls().BeforeNextReply("DeleteExport", [&then] { then = DmaBufs(); });
  EXPECT_TRUE(window->Release().ok());
  EXPECT_EQ(then, 0);
  EXPECT_EQ(window->dma_buf(), -1);
}

TEST_F(RawExportTest, AMovedOneKeepsTheDmaBufUntilItGoes) {
  const auto session = Connect();
  {
    auto window = session->CreateExport(kRawWindow);
    ASSERT_TRUE(window.ok()) << window.status();
    const Export moved = *std::move(window);
    EXPECT_GE(moved.dma_buf(), 0);
    EXPECT_EQ(DmaBufs(), 1);
  }
  EXPECT_EQ(DmaBufs(), 0);
  EXPECT_EQ(p2pd_.calls().Of("DeleteExport").size(), 1u);
}

TEST_F(RawExportTest, ADmaBufOfACallThatThenFailsIsClosed) {
  const auto session = Connect();
  v1::ErrorDetail detail;
  detail.set_reason(v1::ErrorDetail::KERNEL);
  for (const char* call : {"CreateExport", "Acquire"}) {
    p2pd_.calls().FailNextAfterwards(call, MakeFailure(grpc::StatusCode::INTERNAL, detail, "bad day"));
    const absl::Status status = absl::string_view(call) == "Acquire" ? session->Acquire(kRawWindow, {}).status()
                                                                     : session->CreateExport(kRawWindow).status();
    EXPECT_EQ(GetErrorDetail(status).reason(), v1::ErrorDetail::KERNEL);
    Flush(*session);
    EXPECT_EQ(DmaBufs(), 0);
  }
}

TEST_F(RawExportTest, ADmaBufThatNeverComesTimesOutAndTheExportIsGivenBack) {
  SessionOptions options = Options();
  options.call_timeout = absl::Milliseconds(100);
  const auto session = Connect(options);
  p2pd_.WithholdGrants();
  EXPECT_EQ(session->CreateExport(kRawWindow).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(session->ListExports()->empty());
}

TEST_F(RawExportTest, ALostReplyIsAskedForAgainAndTheFirstDmaBufServes) {
  const auto session = Connect();
  p2pd_.calls().BeforeNextReply("CreateExport", [this] { p2pd_.CutGrpcConnections(); });
  const auto window = session->CreateExport(kRawWindow);
  ASSERT_TRUE(window.ok()) << window.status();
  EXPECT_GE(window->dma_buf(), 0);
  const auto calls = p2pd_.calls().Of("CreateExport");
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[0].request_id, calls[1].request_id);
  EXPECT_TRUE(calls[1].repeated);
  EXPECT_EQ(DmaBufs(), 1);
}

TEST_F(RawExportTest, TwoThatAreMadeAtOnceEachGetTheirOwn) {
  const auto session = Connect();
  p2pd_.WithholdGrants();
  auto first = std::async(std::launch::async, [&] { return session->CreateExport(kRawWindow); });
  auto second = std::async(std::launch::async, [&] { return session->CreateExport(kRawWindow); });
  while (session->ListExports()->size() < 2) std::this_thread::yield();
  p2pd_.ReleaseGrants();
  const auto one = first.get();
  const auto other = second.get();
  ASSERT_TRUE(one.ok() && other.ok());
  EXPECT_NE(one->dma_buf(), other->dma_buf());
  EXPECT_EQ(DmaBufs(), 2);
}

TEST_F(RawExportTest, ACallbackThatAsksForOneIsToldWhyItCannot) {
  std::promise<absl::Status> result;
  std::unique_ptr<Session> session;
  SessionOptions options = Options();
  options.on_resumed = [&](const v1::Resumed&) { result.set_value(session->CreateExport(kRawWindow).status()); };
  session = Connect(options);
  v1::ServerFrame frame;
  frame.mutable_resumed()->set_operation("operations/1");
  p2pd_.Send(frame);
  EXPECT_EQ(result.get_future().get().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(session->ListExports()->empty());
}

}  // namespace
}  // namespace p2p::testing
