// Operations told while they go on. p2pctl is a process: it does not end by itself, or not before the test lets it.
#include <signal.h>

#include <future>

#include "client/p2pctl/p2pctl_process.h"
#include "google/protobuf/util/json_util.h"

namespace p2p::ctl {
namespace {

using ::p2p::testing::FakeState;
using ::p2p::testing::kExporter;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

class FollowTest : public P2pctlProcessFixture {
 protected:
  // An event of an operation as it is now.
  void Tell(v1::Event::Type type, const v1::Operation& operation) {
    p2pd_.broker().WithState([&](FakeState& state) {
      state.operations[operation.name()] = operation;
      v1::Event& event = state.events.emplace_back();
      event.set_type(type);
      *event.mutable_operation() = operation;
    });
  }
  static v1::Operation Unplug() {
    v1::Operation operation;
    operation.set_name("operations/70");
    operation.set_kind(v1::Operation::UNPLUG);
    operation.set_device(kExporter);
    operation.set_state(v1::Operation::RUNNING);
    operation.add_steps()->set_what("quiesce");
    return operation;
  }

  std::unique_ptr<Session> session_ = Connect();
};

TEST_F(FollowTest, AResetTellsItsStepsWhileP2pdIsAtIt) {
  std::promise<void> answer;
  p2pd_.calls().BeforeNextReply("ResetDevice", [&answer] { answer.get_future().wait(); });
  const auto process = StartP2pctl({"reset", "01:00.0", "--progress=always"});
  EXPECT_THAT(process->err.Next(), MatchesRegex("operations/[0-9]+: RESET of 0000:01:00.0"));
  for (const char* step : {"quiesce", "unmap", "reset", "restore"}) {
    EXPECT_THAT(process->err.Next(), HasSubstr(std::string(": ") + step + ": ok, 1.50 ms"));
  }
  answer.set_value();
  EXPECT_THAT(process->out.Rest(), HasSubstr("SUCCEEDED after 118.00 ms"));
  EXPECT_EQ(process->err.Rest(), "");
  EXPECT_EQ(process->child.Wait(), 0);
}

TEST_F(FollowTest, WhatGoesOnIsToldAndWhatIsOverIsNot) {
  ASSERT_TRUE(session_->ResetDevice(kExporter).ok());
  v1::Operation operation = Unplug();
  Tell(v1::Event::CREATED, operation);
  const auto process = StartP2pctl({"operations", "--follow"});
  EXPECT_THAT(process->out.Next(), MatchesRegex(".* operations/70: UNPLUG of 0000:01:00.0"));
  EXPECT_THAT(process->out.Next(), HasSubstr(" operations/70: quiesce: ok, 0 us"));
  operation.add_steps()->set_what("unmap");
  Tell(v1::Event::CHANGED, operation);
  EXPECT_THAT(process->out.Next(), HasSubstr(" operations/70: unmap: ok, 0 us"));
  operation.set_state(v1::Operation::FAILED);
  operation.set_error("somebody holds it");
  Tell(v1::Event::CHANGED, operation);
  EXPECT_THAT(process->out.Next(),
              HasSubstr(" operations/70: UNPLUG of 0000:01:00.0 FAILED after 0 us: somebody holds it"));
  v1::Operation before = session_->ListOperations()->front();
  before.add_steps()->set_what("late restore");
  Tell(v1::Event::CHANGED, before);
  EXPECT_THAT(process->out.Next(), HasSubstr(" " + before.name() + ": late restore: ok"));
  ASSERT_TRUE(session_->ResetDevice(kExporter).ok());
  EXPECT_THAT(process->out.Next(), MatchesRegex(".* operations/[0-9]+: RESET of 0000:01:00.0"));
  process->child.Signal(SIGTERM);
  process->child.Wait();
}

TEST_F(FollowTest, JsonIsTheOperationALineForEachChange) {
  Tell(v1::Event::CREATED, Unplug());
  const auto process = StartP2pctl({"operations", "--follow", "--json"});
  v1::Operation operation;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(process->out.Next(), &operation).ok());
  EXPECT_EQ(operation.name(), "operations/70");
  operation.set_state(v1::Operation::SUCCEEDED);
  Tell(v1::Event::CHANGED, operation);
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(process->out.Next(), &operation).ok());
  EXPECT_EQ(operation.state(), v1::Operation::SUCCEEDED);
  process->child.Signal(SIGTERM);
  process->child.Wait();
}

}  // namespace
}  // namespace p2p::ctl
