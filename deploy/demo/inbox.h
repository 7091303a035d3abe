// Everything that a demonstration client reacts to, in one queue: commands on stdin, and what p2pd says. With it
// a client is one thread that does one thing at a time, which is what a device driver wants to be.
#ifndef P2PD_DEPLOY_DEMO_INBOX_H_
#define P2PD_DEPLOY_DEMO_INBOX_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/session.h"
#include "daemon/base/mutex.h"
#include "daemon/base/unique_fd.h"

namespace demo {

// A line of stdin: "check seed=7 length=4096".
struct Command {
  std::string verb;
  std::map<std::string, std::string> arguments;

  static Command Parse(absl::string_view line);
  // An argument that is a number, decimal or 0x...; `otherwise` where it is absent. Errors: InvalidArgument.
  absl::StatusOr<uint64_t> Number(const std::string& name, uint64_t otherwise) const;
};

struct EndOfCommands {};

using Item = std::variant<Command, EndOfCommands, p2p::QuiesceRequest, p2p::v1::Resumed, p2p::v1::Device, absl::Status>;

class Inbox {
 public:
  // Commands are read from `commands`, which stays open as long as this.
  static absl::StatusOr<std::unique_ptr<Inbox>> Create(int commands);
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;

  // From any thread.
  void Push(Item item) ABSL_LOCKS_EXCLUDED(mutex_);

  // The oldest item; waits for it for at most `patience`. One thread.
  std::optional<Item> Take(absl::Duration patience) ABSL_LOCKS_EXCLUDED(mutex_);

  // Makes what p2pd says to a session come here: quiesce requests, resumptions, and the session's end (a status).
  void Subscribe(p2p::SessionOptions& options);

 private:
  Inbox(int commands, p2pd::UniqueFd wake) : commands_(commands), wake_(std::move(wake)) {}

  void ReadCommands() ABSL_LOCKS_EXCLUDED(mutex_);
  std::optional<Item> Pop() ABSL_LOCKS_EXCLUDED(mutex_);

  int commands_;  // -1 once it has ended
  std::string partial_line_;
  const p2pd::UniqueFd wake_;  // an eventfd: something was pushed
  p2pd::Mutex mutex_;
  std::deque<Item> items_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace demo

#endif  // P2PD_DEPLOY_DEMO_INBOX_H_
