// A process that forks with a session. What must hold is checked by testing/fork_client.cc, in a process of its own.
#include <future>
#include <string>

#include "client/testing/program.h"
#include "client/testing/session_fixture.h"

namespace p2p::testing {
namespace {

std::string fork_client;  // its path

class ForkTest : public SessionFixture {
 protected:
  int Run(const std::string& mode) { return RunProgram({fork_client, mode, p2pd_.fd_socket(), p2pd_.grpc_socket()}); }
};

TEST_F(ForkTest, AChildConnectsAnewAndLeavesTheParentsSessionAlone) { EXPECT_EQ(Run("idle"), 0); }

TEST_F(ForkTest, AChildOfAProcessThatWasInACallIsRefused) {
  std::promise<void> answer;
  p2pd_.calls().BeforeNextReply("GetStatus", [&] {
    v1::ServerFrame frame;
    frame.mutable_resumed()->set_operation("operations/1");
    p2pd_.Send(frame);
    answer.get_future().wait();
  });
  p2pd_.calls().BeforeNextReply("Ping", [&answer] { answer.set_value(); });
  EXPECT_EQ(Run("busy"), 0);
}

}  // namespace
}  // namespace p2p::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  p2p::testing::fork_client = argv[1];
  return RUN_ALL_TESTS();
}
