// A process that forks with a session. What must hold is checked by testing/fork_client.cc, in a process of its own.
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

TEST_F(ForkTest, AChildOfAProcessWithoutASessionConnects) { EXPECT_EQ(Run("before"), 0); }

TEST_F(ForkTest, AChildCanUseNothingThatItInheritedAndDoesNoHarmToItsParent) { EXPECT_EQ(Run("after"), 0); }

}  // namespace
}  // namespace p2p::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  p2p::testing::fork_client = argv[1];
  return RUN_ALL_TESTS();
}
