// What the demonstration's programs have in common: their options, their session, and how they end.
#ifndef P2PD_DEPLOY_DEMO_PROGRAM_H_
#define P2PD_DEPLOY_DEMO_PROGRAM_H_

#include <memory>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/session.h"
#include "deploy/demo/inbox.h"

namespace demo {

struct Options {
  std::string fd_socket = p2p::SessionOptions().fd_socket;
  std::string grpc_socket = p2p::SessionOptions().grpc_socket;
  std::string device;  // "devices/0000:01:00.0"
};

// Adds the options that all programs have; `device` is the default of --device.
void Describe(CLI::App& app, const std::string& device, Options& options);

// A session whose news go to `inbox`, which outlives it.
absl::StatusOr<std::unique_ptr<p2p::Session>> Connect(const Options& options, const std::string& name, Inbox& inbox);

// Parses the command line, runs `program` with an inbox for stdin, and reports how it ended. Returns main's status.
int Run(CLI::App& app, int argc, char** argv, absl::FunctionRef<absl::Status(Inbox&)> program);

// A command that failed, or that nobody knows, is reported and forgotten: the program goes on.
void ReportFailure(const Command& command, const absl::Status& status);

}  // namespace demo

#endif  // P2PD_DEPLOY_DEMO_PROGRAM_H_
