#include "tests/vm/real_p2pd.h"

#include <stdio.h>
#include <sys/wait.h>

#include <utility>

#include "gtest/gtest.h"

namespace p2pd::vm {
namespace {

// p2pd wants its policy to be nobody else's to write.
bench::Folder MakeFolder(const std::string& policy) {
  auto folder = bench::Folder::Create();
  EXPECT_TRUE(folder.ok()) << folder.status();
  EXPECT_TRUE(folder->Write("policy", policy).ok());
  return *std::move(folder);
}

bench::Process Start(const bench::Folder& folder, const std::string& managed) {
  auto process =
      bench::Process::Start({"/run/bin/p2pd", "--policy=" + folder.At("policy"), "--fd-socket=" + folder.At("fds.sock"),
                             "--grpc-socket=" + folder.At("p2pd.sock"), "--log-level=warning", "--manage=" + managed},
                            folder);
  EXPECT_TRUE(process.ok()) << process.status();
  return *std::move(process);
}

}  // namespace

RealP2pd::RealP2pd(const std::string& managed, const std::string& policy)
    : folder_(MakeFolder(policy)), process_(Start(folder_, managed)) {}

std::unique_ptr<p2p::Session> RealP2pd::Connect(const std::string& name,
                                                std::function<void(p2p::QuiesceRequest)> on_quiesce) const {
  if (on_quiesce == nullptr) on_quiesce = [](p2p::QuiesceRequest request) { request.Ack().IgnoreError(); };
  auto session = p2p::Session::Connect({.fd_socket = folder_.At("fds.sock"),
                                        .grpc_socket = folder_.At("p2pd.sock"),
                                        .client_name = name,
                                        .connect_timeout = absl::Seconds(30),
                                        .on_quiesce = std::move(on_quiesce)});
  EXPECT_TRUE(session.ok()) << session.status();
  return *std::move(session);
}

int RealP2pd::P2pctl(const std::string& words, std::string& said) const {
  const std::string command = "/run/bin/p2pctl --fd-socket=" + folder_.At("fds.sock") +
                              " --grpc-socket=" + folder_.At("p2pd.sock") + " " + words + " 2>&1";
  FILE* const pipe = popen(command.c_str(), "re");
  said.clear();
  for (int c = fgetc(pipe); c != EOF; c = fgetc(pipe)) said.push_back(static_cast<char>(c));
  const int status = pclose(pipe);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace p2pd::vm
