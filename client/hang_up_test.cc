// A session's end: from p2pd's side, from this one, and by frames that can't be trusted.
#include <future>
#include <string>

#include "client/error.h"
#include "client/testing/session_fixture.h"

namespace p2p::testing {
namespace {

using ::testing::HasSubstr;

class HangUpTest : public SessionFixture {
 protected:
  SessionOptions OptionsThatTellTheEnd() {
    SessionOptions options = Options();
    options.on_ended = [this](const absl::Status& why) { ended_.set_value(why); };
    return options;
  }
  absl::Status WaitForEnd() { return ended_.get_future().get(); }

  std::promise<absl::Status> ended_;
};

TEST_F(HangUpTest, TellsWhyP2pdEndsTheSession) {
  const auto session = Connect(OptionsThatTellTheEnd());
  v1::ServerFrame frame;
  frame.mutable_ended()->set_reason("the administrator ended it");
  p2pd_.Send(frame);
  const absl::Status why = WaitForEnd();
  EXPECT_THAT(std::string(why.message()), HasSubstr("the administrator ended it"));
  EXPECT_EQ(GetErrorDetail(why).reason(), v1::ErrorDetail::SESSION_ENDED);
  EXPECT_EQ(session->ended(), why);
}

TEST_F(HangUpTest, CallsAfterTheEndFailAtOnceAndSaySo) {
  const auto session = Connect(OptionsThatTellTheEnd());
  p2pd_.HangUp();
  EXPECT_TRUE(IsDisconnected(WaitForEnd()));
  EXPECT_TRUE(IsDisconnected(session->GetStatus().status()));
  EXPECT_TRUE(IsDisconnected(session->OpenDevice(kExporter).status()));
  EXPECT_TRUE(p2pd_.calls().Of("GetStatus").empty());
}

TEST_F(HangUpTest, ATruncatedFrameEndsTheSession) {
  const auto session = Connect(OptionsThatTellTheEnd());
  p2pd_.SendBytes(std::string(5000, 'x'));
  EXPECT_THAT(std::string(WaitForEnd().message()), HasSubstr("more than 4096 bytes"));
  p2pd_.WaitForSessionEnds(1);  // p2pd sees it too
}

TEST_F(HangUpTest, AFrameThatDoesNotParseEndsTheSession) {
  const auto session = Connect(OptionsThatTellTheEnd());
  p2pd_.SendBytes("\x0a\xff");
  EXPECT_TRUE(IsDisconnected(WaitForEnd()));
}

TEST_F(HangUpTest, ASecondWelcomeEndsTheSession) {
  const auto session = Connect(OptionsThatTellTheEnd());
  v1::ServerFrame frame;
  frame.mutable_welcome()->set_token("another");
  p2pd_.Send(frame);
  EXPECT_TRUE(IsDisconnected(WaitForEnd()));
}

TEST_F(HangUpTest, AFrameOfALaterVersionIsPassedOver) {
  const auto session = Connect();
  p2pd_.SendBytes(std::string("\xa2\x06\x00", 3));  // field 100, empty
  EXPECT_TRUE(session->OpenDevice(kExporter).ok());
  EXPECT_TRUE(session->ended().ok());
}

TEST_F(HangUpTest, GoingAwayGivesEverythingBackWithoutACallback) {
  bool told = false;
  SessionOptions options = Options();
  options.on_ended = [&told](const absl::Status&) { told = true; };
  {
    const auto session = Connect(options);
    auto mine = session->CreateExport({.device = kExporter, .bar = 2, .length = 4096});
    ASSERT_TRUE(mine.ok()) << mine.status();
  }
  p2pd_.WaitForSessionEnds(1);
  p2pd_.broker().WithState([](FakeState& state) {
    EXPECT_TRUE(state.exports.empty());
    EXPECT_TRUE(state.sessions.empty());
  });
  EXPECT_FALSE(told);
}

TEST_F(HangUpTest, ASessionMayBeDestroyedInItsOwnCallback) {
  std::promise<void> destroyed;
  std::unique_ptr<Session> session;
  SessionOptions options = Options();
  options.on_resumed = [&](const v1::Resumed&) {
    session.reset();
    destroyed.set_value();
  };
  session = Connect(options);
  v1::ServerFrame frame;
  frame.mutable_resumed()->set_operation("operations/1");
  p2pd_.Send(frame);
  destroyed.get_future().wait();
  p2pd_.WaitForSessionEnds(1);
}

}  // namespace
}  // namespace p2p::testing
