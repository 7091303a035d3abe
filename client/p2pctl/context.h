// What every command of p2pctl is given: the global options, where to write, and p2pd.
#ifndef P2PD_CLIENT_P2PCTL_CONTEXT_H_
#define P2PD_CLIENT_P2PCTL_CONTEXT_H_

#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/p2pctl/table.h"
#include "client/session.h"
#include "google/protobuf/message.h"

namespace p2p::ctl {

struct GlobalOptions {
  std::string fd_socket = SessionOptions().fd_socket;
  std::string grpc_socket = SessionOptions().grpc_socket;
  absl::Duration timeout = SessionOptions().call_timeout;
  std::string color = "auto";  // auto, always or never
  bool json = false;
  bool no_legend = false;
};

// With the sockets of the command line, and its timeout: for connecting too.
SessionOptions ForSession(const GlobalOptions& global, SessionOptions options);

// Where p2pctl writes. A test has strings, main() the process's streams.
struct Console {
  std::ostream& out;
  std::ostream& err;
  bool color_terminal = false;     // `out` is one, and takes colours
  bool progress_terminal = false;  // `err` is one
};

// What --json writes on stderr, one object on one line: an error (with its facts and the exit status), a note.
std::string ErrorAsJson(const absl::Status& status, int exit_status);
std::string NoteAsJson(absl::string_view text);

class Context {
 public:
  Context(GlobalOptions options, Console& console) : options_(std::move(options)), console_(console) {}

  bool json() const { return options_.json; }
  bool legend() const { return !options_.no_legend; }
  std::ostream& out() { return console_.out; }
  // How long to wait for p2pd, and for what it is asked.
  absl::Duration timeout() const { return options_.timeout; }

  // With the sockets and the timeouts of the command line.
  absl::StatusOr<std::unique_ptr<Session>> Connect(SessionOptions options = {}) const;

  // A line for stderr: what went differently than asked, without being an error.
  void Note(absl::string_view text);
  // A line for stderr: what p2pd has just done.
  void PrintProgress(absl::string_view line);
  // Whether such lines are wanted where the command line does not say so.
  bool progress_terminal() const { return console_.progress_terminal; }
  // p2pctl ends with `status`, whatever the command returns.
  void ExitWith(int status) { exit_status_ = status; }
  std::optional<int> exit_status() const { return exit_status_; }

  // One JSON document: protobuf's mapping, proto field names, every field of the message. Over some lines, or
  // on one.
  void PrintJson(const google::protobuf::Message& message);
  void PrintJsonLine(const google::protobuf::Message& message);
  void Print(const Table& table);

  Table NewTable(std::vector<Column> columns) const;
  // Names on the left, values on the right; no header.
  Table NewPropertyList() const;
  // `text` in a colour where colours are wanted: for text outside tables.
  std::string Colored(const Cell& cell) const;

 private:
  bool Colors() const;

  const GlobalOptions options_;
  Console& console_;
  std::optional<int> exit_status_;
};

}  // namespace p2p::ctl

#endif  // P2PD_CLIENT_P2PCTL_CONTEXT_H_
