// p2pctl as a process of its own, for what cannot be tried in the test's: forks, signals, descriptors.
#ifndef P2PD_CLIENT_P2PCTL_P2PCTL_PROCESS_H_
#define P2PD_CLIENT_P2PCTL_P2PCTL_PROCESS_H_

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/p2pctl/child_process.h"
#include "client/testing/session_fixture.h"

namespace p2p::ctl {

// What a process writes, line by line.
class Lines {
 public:
  Lines() {
    int ends[2] = {};
    if (pipe2(ends, O_CLOEXEC) != 0) abort();
    reader_.reset(fdopen(ends[0], "r"));
    writer_.Reset(ends[1]);
  }
  // For the process: as a path, since it is given no descriptors.
  std::string path() const { return absl::StrCat("/proc/", getpid(), "/fd/", writer_.get()); }
  // The process has opened it.
  void CloseWriter() { writer_.Reset(); }

  // Waits for the next one; "" at the end.
  std::string Next() {
    std::string line;
    for (int c = 0; (c = fgetc(reader_.get())) != EOF && c != '\n';) line.push_back(static_cast<char>(c));
    return line;
  }
  std::string Rest() {
    std::string rest;
    for (int c = 0; (c = fgetc(reader_.get())) != EOF;) rest.push_back(static_cast<char>(c));
    return rest;
  }

 private:
  struct Close {
    void operator()(FILE* file) const { fclose(file); }
  };
  std::unique_ptr<FILE, Close> reader_;
  p2pd::UniqueFd writer_;
};

struct P2pctlProcess {
  // `words` without the program's name.
  explicit P2pctlProcess(const std::vector<std::string>& words) : child(Start(words)) {}

  // Ends the test's wait for output that never comes: the process is the pipes' only writer.
  static ChildProcess StartOrDie(const ChildOptions& options) {
    auto child = ChildProcess::Start(options);
    if (!child.ok()) {
      ADD_FAILURE() << child.status();
      abort();
    }
    return *std::move(child);
  }

  ChildProcess Start(const std::vector<std::string>& words) {
    ChildOptions options;
    sigemptyset(&options.signal_mask);
    // It says "opened" once it has both ends.
    options.command = {
        "sh", "-c",
        absl::StrCat("exec >", out.path(), " 2>", err.path(), "; echo opened; exec client/p2pctl/p2pctl \"$@\""), "sh"};
    options.command.insert(options.command.end(), words.begin(), words.end());
    ChildProcess started = StartOrDie(options);
    if (out.Next() != "opened") abort();
    out.CloseWriter();
    err.CloseWriter();
    return started;
  }

  Lines out;
  Lines err;
  ChildProcess child;
};

class P2pctlProcessFixture : public p2p::testing::SessionFixture {
 protected:
  std::unique_ptr<P2pctlProcess> StartP2pctl(std::vector<std::string> words) {
    words.insert(words.begin(), {"--fd-socket", p2pd_.fd_socket(), "--grpc-socket", p2pd_.grpc_socket()});
    return std::make_unique<P2pctlProcess>(words);
  }
  // Its exit status; `out_` and `err_` are what it wrote this time.
  int RunP2pctl(std::vector<std::string> words) {
    const auto process = StartP2pctl(std::move(words));
    out_ = process->out.Rest();
    err_ = process->err.Rest();
    return process->child.Wait();
  }

  std::string out_;
  std::string err_;
};

}  // namespace p2p::ctl

#endif  // P2PD_CLIENT_P2PCTL_P2PCTL_PROCESS_H_
