// The handshake before a reset, as p2pd sees it: asked once, answered once, by whichever thread.
#include <future>
#include <optional>
#include <thread>
#include <utility>

#include "client/testing/session_fixture.h"

namespace p2p::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class QuiesceHandshakeTest : public SessionFixture {
 protected:
  void AskToQuiesce(const std::string& operation) {
    v1::ServerFrame frame;
    frame.mutable_quiesce_requested()->set_operation(operation);
    frame.mutable_quiesce_requested()->set_device(kExporter);
    frame.mutable_quiesce_requested()->set_generation(2);
    frame.mutable_quiesce_requested()->add_mappings("mappings/9");
    p2pd_.Send(frame);
  }
  // Returns once the session has dealt with every frame sent before.
  void Flush(Session& session) {
    const auto memory = SealedMemory::Create("flush", 4096);
    ASSERT_TRUE(session.OfferMemory(memory->fd()).ok());
  }
};

TEST_F(QuiesceHandshakeTest, ACallbackThatReturnsHasAcknowledged) {
  std::promise<std::string> asked;
  SessionOptions options = Options();
  options.on_quiesce = [&asked](QuiesceRequest request) { asked.set_value(request.info().mappings(0)); };
  const auto session = Connect(options);
  AskToQuiesce("operations/1");
  EXPECT_EQ(asked.get_future().get(), "mappings/9");
  EXPECT_THAT(p2pd_.WaitForAcks(1), ElementsAre("operations/1"));
}

TEST_F(QuiesceHandshakeTest, AnExplicitAckIsTheOnlyOne) {
  SessionOptions options = Options();
  options.on_quiesce = [](QuiesceRequest request) {
    EXPECT_TRUE(request.Ack().ok());
    EXPECT_TRUE(request.Ack().ok());
  };
  const auto session = Connect(options);
  AskToQuiesce("operations/1");
  AskToQuiesce("operations/2");
  EXPECT_THAT(p2pd_.WaitForAcks(2), ElementsAre("operations/1", "operations/2"));
}

TEST_F(QuiesceHandshakeTest, AnotherThreadAcknowledgesWhenItsDmaHasStopped) {
  std::promise<QuiesceRequest> handed_over;
  SessionOptions options = Options();
  options.on_quiesce = [&](QuiesceRequest request) { handed_over.set_value(std::move(request)); };
  const auto session = Connect(options);
  AskToQuiesce("operations/1");
  std::thread([&] {
    QuiesceRequest request = handed_over.get_future().get();
    Flush(*session);
    EXPECT_THAT(p2pd_.acks(), IsEmpty());
    EXPECT_TRUE(request.Ack().ok());
  }).join();
  EXPECT_THAT(p2pd_.WaitForAcks(1), ElementsAre("operations/1"));
}

TEST_F(QuiesceHandshakeTest, NothingIsAcknowledgedWithoutACallback) {
  const auto session = Connect();
  AskToQuiesce("operations/1");
  Flush(*session);
  EXPECT_THAT(p2pd_.acks(), IsEmpty());
}

TEST_F(QuiesceHandshakeTest, ARequestThatOutlivesItsSessionAcknowledgesNothing) {
  std::promise<QuiesceRequest> handed_over;
  SessionOptions options = Options();
  options.on_quiesce = [&](QuiesceRequest request) { handed_over.set_value(std::move(request)); };
  auto session = Connect(options);
  AskToQuiesce("operations/1");
  QuiesceRequest request = handed_over.get_future().get();
  session.reset();
  EXPECT_EQ(request.Ack().code(), absl::StatusCode::kUnavailable);
}

TEST_F(QuiesceHandshakeTest, ResumedIsPassedOn) {
  std::promise<v1::Resumed> resumed;
  SessionOptions options = Options();
  options.on_resumed = [&resumed](const v1::Resumed& what) { resumed.set_value(what); };
  const auto session = Connect(options);
  v1::ServerFrame frame;
  frame.mutable_resumed()->set_device(kExporter);
  frame.mutable_resumed()->set_restored(3);
  p2pd_.Send(frame);
  EXPECT_EQ(resumed.get_future().get().restored(), 3u);
}

TEST_F(QuiesceHandshakeTest, ACallbackMayMakeCallsButNoneThatWaitsForItsOwnThread) {
  std::promise<absl::Status> got_status;
  std::promise<absl::Status> got_device;
  std::unique_ptr<Session> session;
  SessionOptions options = Options();
  options.on_quiesce = [&](QuiesceRequest /*request*/) {
    got_status.set_value(session->GetStatus().status());
    got_device.set_value(session->OpenDevice(kExporter).status());
  };
  session = Connect(options);
  AskToQuiesce("operations/1");
  EXPECT_TRUE(got_status.get_future().get().ok());
  EXPECT_EQ(got_device.get_future().get().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace p2p::testing
