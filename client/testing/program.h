// Runs a program as a child of its own image, as a test of a client in another process needs.
#ifndef P2PD_CLIENT_TESTING_PROGRAM_H_
#define P2PD_CLIENT_TESTING_PROGRAM_H_

#include <string>
#include <vector>

namespace p2p::testing {

// Waits for its end; the exit status, or -1 where a signal ended it or it could not be started.
int RunProgram(const std::vector<std::string>& command);

}  // namespace p2p::testing

#endif  // P2PD_CLIENT_TESTING_PROGRAM_H_
