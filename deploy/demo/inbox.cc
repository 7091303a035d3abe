#include "deploy/demo/inbox.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "daemon/base/errors.h"

namespace demo {

Command Command::Parse(absl::string_view line) {
  Command command;
  for (const absl::string_view word : absl::StrSplit(line, ' ', absl::SkipEmpty())) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(word, absl::MaxSplits('=', 1));
    if (command.verb.empty()) {
      command.verb = std::string(word);
    } else {
      command.arguments.insert(parts);
    }
  }
  return command;
}

absl::StatusOr<uint64_t> Command::Number(const std::string& name, uint64_t otherwise) const {
  const auto argument = arguments.find(name);
  if (argument == arguments.end()) return otherwise;
  const std::string& text = argument->second;
  uint64_t number = 0;
  const bool sound = text.rfind("0x", 0) == 0 ? absl::SimpleHexAtoi(text, &number) : absl::SimpleAtoi(text, &number);
  if (!sound) return absl::InvalidArgumentError(absl::StrCat(verb, " ", name, "=", text, ": no number"));
  return number;
}

absl::StatusOr<std::unique_ptr<Inbox>> Inbox::Create(int commands) {
  p2pd::UniqueFd wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.valid()) return p2pd::ErrnoError("eventfd", "inbox", errno);
  return std::unique_ptr<Inbox>(new Inbox(commands, std::move(wake)));
}

void Inbox::Push(Item item) {
  {
    const p2pd::MutexLock lock(mutex_);
    items_.push_back(std::move(item));
  }
  eventfd_write(wake_.get(), 1);
}

std::optional<Item> Inbox::Take(absl::Duration patience) {
  const absl::Time deadline = absl::Now() + patience;
  for (bool looked = false;; looked = true) {
    std::optional<Item> item = Pop();
    const absl::Duration left = deadline - absl::Now();
    if (item.has_value() || (looked && left <= absl::ZeroDuration())) return item;
    pollfd fds[] = {{.fd = commands_, .events = POLLIN, .revents = 0},
                    {.fd = wake_.get(), .events = POLLIN, .revents = 0}};
    const int64_t milliseconds = absl::ToInt64Milliseconds(absl::Ceil(left, absl::Milliseconds(1)));
    const int timeout = static_cast<int>(std::clamp<int64_t>(milliseconds, 0, 60'000));
    if (poll(fds, 2, timeout) < 0) continue;  // a signal
    eventfd_t pushed = 0;
    if (fds[1].revents != 0) eventfd_read(wake_.get(), &pushed);
    if (fds[0].revents != 0) ReadCommands();
  }
}

std::optional<Item> Inbox::Pop() {
  const p2pd::MutexLock lock(mutex_);
  if (items_.empty()) return std::nullopt;
  Item item = std::move(items_.front());
  items_.pop_front();
  return item;
}

void Inbox::ReadCommands() {
  char buffer[4096];
  const ssize_t n = read(commands_, buffer, sizeof(buffer));
  if (n < 0 && errno == EINTR) return;
  if (n <= 0) {
    commands_ = -1;
    return Push(EndOfCommands());
  }
  partial_line_.append(buffer, static_cast<size_t>(n));
  std::vector<std::string> lines = absl::StrSplit(partial_line_, '\n');
  partial_line_ = std::move(lines.back());
  lines.pop_back();
  for (const std::string& line : lines) Push(Command::Parse(line));
}

void Inbox::Subscribe(p2p::SessionOptions& options) {
  options.on_quiesce = [this](p2p::QuiesceRequest request) { Push(std::move(request)); };
  options.on_resumed = [this](const p2p::v1::Resumed& resumed) { Push(resumed); };
  options.on_ended = [this](const absl::Status& why) { Push(why); };
}

}  // namespace demo
