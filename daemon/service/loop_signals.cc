#include "daemon/service/loop_signals.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/service/log.h"

namespace p2pd {
namespace {

struct Entry {
  UniqueFd eventfd;
  absl::AnyInvocable<void()> on_signal;
  EventLoop::Watch watch;
};

// What belongs to the loop is made and unmade there, in this order.
void Begin(EventLoop& loop, Entry& entry) {
  auto watch = loop.WatchFd(entry.eventfd, EPOLLIN, [&entry](uint32_t) {
    eventfd_t count = 0;
    if (eventfd_read(entry.eventfd.get(), &count) == 0) entry.on_signal();
  });
  if (watch.ok()) {
    entry.watch = *std::move(watch);
  } else {
    Log(LogLevel::kError, absl::StrCat("a device's signals cannot be heard: ", watch.status().message()));
  }
}

class LoopWatch final : public SignalWaiter::Watch {
 public:
  LoopWatch(EventLoop& loop, std::shared_ptr<Entry> entry) : loop_(loop), entry_(std::move(entry)) {}
  ~LoopWatch() override {
    loop_.Post([entry = std::move(entry_)] { entry->watch.Reset(); });
  }

 private:
  EventLoop& loop_;
  std::shared_ptr<Entry> entry_;
};

}  // namespace

std::unique_ptr<SignalWaiter::Watch> LoopSignals::Wait(UniqueFd eventfd, absl::AnyInvocable<void()> on_signal) {
  auto entry = std::make_shared<Entry>();
  entry->eventfd = std::move(eventfd);
  entry->on_signal = std::move(on_signal);
  loop_.Post([&loop = loop_, entry] { Begin(loop, *entry); });
  return std::make_unique<LoopWatch>(loop_, std::move(entry));
}

}  // namespace p2pd
