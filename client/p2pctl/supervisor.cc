#include "client/p2pctl/supervisor.h"

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace p2p::ctl {
namespace {

constexpr char kReady[] = "READY=1";
constexpr char kQuiesced[] = "X_P2PD_QUIESCED=1";

}  // namespace

Supervisor::Supervisor(Context& context, Grants& grants, bool cooperates)
    : context_(context), grants_(grants), cooperates_(cooperates) {
  for (const Device& device : grants_.devices) generations_[device.name()] = device.info().generation();
}

int Supervisor::Supervise(ChildProcess& command, Signals& signals, SessionNews& news, NotifySocket& notify) {
  for (;;) {
    std::array<pollfd, 4> waits = {{{.fd = command.pidfd().get(), .events = POLLIN},
                                    {.fd = signals.fd().get(), .events = POLLIN},
                                    {.fd = news.fd().get(), .events = POLLIN},
                                    {.fd = notify.fd().get(), .events = POLLIN}}};
    poll(waits.data(), waits.size(), -1);
    // What is typed at the terminal has reached the command already.
    if (const auto signal = signals.Take(); signal.has_value() && !signal->from_terminal) {
      command.Signal(signal->number);
    }
    if (auto lines = notify.Take(); lines.has_value()) Hear(*lines);
    if (auto entry = news.Take(); entry.has_value()) Tell(command, *std::move(entry));
    if (waits[0].revents == 0) continue;
    const int status = command.Wait();
    unanswered_.clear();  // which acknowledges them: it has ended
    return status;
  }
}

void Supervisor::Tell(const ChildProcess& command, News news) {
  if (auto* request = std::get_if<QuiesceRequest>(&news)) {
    StopOf(command, std::move(*request));
  } else if (const auto* resumed = std::get_if<v1::Resumed>(&news)) {
    // Of a device that it drives, it said so itself.
    if (generations_.count(resumed->device()) == 0) GoOn(command, resumed->device());
  } else if (const auto* reset = std::get_if<DeviceWasReset>(&news)) {
    generations_[reset->device.name()] = reset->device.generation();
    GoOn(command, reset->device.name());
  } else if (const auto* revoked = std::get_if<v1::DeviceRevoked>(&news)) {
    if (!Holds(revoked->device())) return;
    context_.Note(absl::StrCat(revoked->device(), " is taken away for good (", revoked->reason(),
                               "), and must be let go of: the command gets SIGTERM"));
    command.Signal(SIGTERM);
  } else if (const auto* why = std::get_if<absl::Status>(&news)) {
    session_ended_ = *why;
    context_.Note("the session has ended, and with it what the command was given: it gets SIGTERM");
    command.Signal(SIGTERM);
  }
}

void Supervisor::StopOf(const ChildProcess& command, QuiesceRequest request) {
  std::vector<std::string> held = request.devices();
  std::erase_if(held, [this](const std::string& device) { return !Holds(device); });
  if (held.empty()) return;  // nothing that the command can use: acknowledged
  if (cooperates_) {
    stopped_for_.insert(held.begin(), held.end());
    command.Signal(SIGUSR1);
  } else {
    context_.Note(
        absl::StrCat(absl::StrJoin(held, ", "), " is taken away: the command is not told (--quiesce), and is cut off"));
  }
  unanswered_.push_back(std::move(request));
}

void Supervisor::GoOn(const ChildProcess& command, const std::string& device) {
  const bool stopped = stopped_for_.erase(device) != 0;
  if (stopped && stopped_for_.empty()) command.Signal(SIGUSR2);
}

void Supervisor::Hear(const std::vector<std::string>& lines) {
  for (const std::string& line : lines) {
    if (line == kQuiesced) unanswered_.clear();  // which acknowledges them
    if (line != kReady) continue;
    for (Device& device : grants_.devices) {
      const absl::Status ready = device.Ready(generations_[device.name()]);
      if (!ready.ok()) context_.Note(ready.message());
    }
  }
}

bool Supervisor::Holds(const std::string& device) const {
  const auto is_of = [&](const Export& window) { return window.window().device() == device; };
  return generations_.count(device) != 0 || std::any_of(grants_.windows.begin(), grants_.windows.end(), is_of);
}

}  // namespace p2p::ctl
