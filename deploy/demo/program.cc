#include "deploy/demo/program.h"

#include <unistd.h>

#include "daemon/base/errors.h"
#include "deploy/demo/report.h"

namespace demo {
namespace {

absl::Status RunWithInbox(absl::FunctionRef<absl::Status(Inbox&)> program) {
  P2PD_ASSIGN_OR_RETURN(const std::unique_ptr<Inbox> inbox, Inbox::Create(STDIN_FILENO));
  return program(*inbox);
}

}  // namespace

void Describe(CLI::App& app, const std::string& device, Options& options) {
  options.device = device;
  app.add_option("--device", options.device, "The device to drive")->capture_default_str();
  app.add_option("--fd-socket", options.fd_socket, "p2pd's fd channel")->capture_default_str();
  app.add_option("--grpc-socket", options.grpc_socket, "p2pd's gRPC socket")->capture_default_str();
}

absl::StatusOr<std::unique_ptr<p2p::Session>> Connect(const Options& options, const std::string& name, Inbox& inbox) {
  p2p::SessionOptions session = {
      .fd_socket = options.fd_socket, .grpc_socket = options.grpc_socket, .client_name = name};
  inbox.Subscribe(session);
  return p2p::Session::Connect(std::move(session));
}

int Run(CLI::App& app, int argc, char** argv, absl::FunctionRef<absl::Status(Inbox&)> program) {
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = RunWithInbox(program);
  if (status.ok()) {
    Report("ended").Say();
    return 0;
  }
  Report("failed").With(status).Say();
  return 1;
}

void ReportFailure(const Command& command, const absl::Status& status) {
  Report("failed").With("command", command.verb).With(status).Say();
}

}  // namespace demo
