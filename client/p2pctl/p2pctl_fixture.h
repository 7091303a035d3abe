// What the tests of p2pctl share: a fake p2pd, another client that holds things, and p2pctl run in-process.
#ifndef P2PD_CLIENT_P2PCTL_P2PCTL_FIXTURE_H_
#define P2PD_CLIENT_P2PCTL_P2PCTL_FIXTURE_H_

#include <sstream>
#include <string>
#include <vector>

#include "client/p2pctl/p2pctl.h"
#include "client/testing/session_fixture.h"

namespace p2p::ctl {

class P2pctlFixture : public p2p::testing::SessionFixture {
 protected:
  // Runs p2pctl on the fake; `out_` and `err_` are what it wrote this time.
  ExitStatus Run(std::vector<std::string> words) {
    words.insert(words.begin(), {"--fd-socket", p2pd_.fd_socket(), "--grpc-socket", p2pd_.grpc_socket()});
    return RunBare(words);
  }
  ExitStatus RunBare(const std::vector<std::string>& words) {
    std::ostringstream out;
    std::ostringstream err;
    Console console = {
        .out = out, .err = err, .color_terminal = color_terminal_, .progress_terminal = progress_terminal_};
    const ExitStatus status = RunP2pctl(words, console);
    out_ = out.str();
    err_ = err.str();
    return status;
  }

  bool color_terminal_ = false;
  bool progress_terminal_ = false;
  std::string out_;
  std::string err_;
};

}  // namespace p2p::ctl

#endif  // P2PD_CLIENT_P2PCTL_P2PCTL_FIXTURE_H_
