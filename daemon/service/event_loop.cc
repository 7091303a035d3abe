#include "daemon/service/event_loop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include <algorithm>

#include "daemon/base/errors.h"

namespace p2pd {

struct EventLoop::Watch::Source : std::enable_shared_from_this<EventLoop::Watch::Source> {
  ~Source() { Detach(); }

  void Detach() { source = sd_event_source_disable_unref(source); }

  // sd-event calls these with the Source; it is held for the call, for its handler may drop the Watch.
  static int OnIo(sd_event_source*, int, uint32_t revents, void* data) {
    const auto self = static_cast<Source*>(data)->shared_from_this();
    self->on_fd(revents);
    return 0;
  }
  static int OnTime(sd_event_source*, uint64_t, void* data) {
    const auto self = static_cast<Source*>(data)->shared_from_this();
    self->on_event();
    return 0;
  }
  static int OnSignal(sd_event_source*, const signalfd_siginfo*, void* data) {
    const auto self = static_cast<Source*>(data)->shared_from_this();
    self->on_event();
    return 0;
  }

  sd_event_source* source = nullptr;
  FdHandler on_fd;
  Task on_event;
};

EventLoop::Watch& EventLoop::Watch::operator=(Watch&& other) noexcept {
  if (this != &other) {
    Reset();
    source_ = std::move(other.source_);
  }
  return *this;
}

void EventLoop::Watch::Reset() {
  if (source_ == nullptr) return;
  source_->Detach();
  source_.reset();
}

void EventLoop::Watch::SetEvents(uint32_t events) {
  if (source_ != nullptr) sd_event_source_set_io_events(source_->source, events);
}

absl::StatusOr<std::unique_ptr<EventLoop>> EventLoop::Create() {
  sd_event* event = nullptr;
  if (const int r = sd_event_new(&event); r < 0) return ErrnoError("sd_event_new", "", -r);
  UniqueFd wake_up(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const int error = errno;
  std::unique_ptr<EventLoop> loop(new EventLoop(event, std::move(wake_up)));
  if (!loop->wake_up_.valid()) return ErrnoError("eventfd", "", error);
  P2PD_ASSIGN_OR_RETURN(loop->posted_,
                        loop->WatchFd(loop->wake_up_, EPOLLIN, [loop = loop.get()](uint32_t) { loop->RunPosted(); }));
  // The first timer costs a descriptor: taken now, so that none is needed when descriptors have run out.
  constexpr absl::Duration kNever = absl::Hours(24 * 365 * 10);
  P2PD_ASSIGN_OR_RETURN(loop->timer_kept_, loop->After(kNever, [] {}));
  return loop;
}

EventLoop::EventLoop(sd_event* event, UniqueFd wake_up) : event_(event), wake_up_(std::move(wake_up)) {}

EventLoop::~EventLoop() {
  posted_.Reset();
  timer_kept_.Reset();
  sd_event_unref(event_);
}

absl::Status EventLoop::Run() {
  quit_ = false;
  while (!quit_) {
    if (const int r = sd_event_run(event_, UINT64_MAX); r < 0) return ErrnoError("sd_event_run", "", -r);
  }
  return absl::OkStatus();
}

void EventLoop::Post(Task task) {
  MutexLock lock(mutex_);
  tasks_.push_back(std::move(task));
  if (tasks_.size() == 1) eventfd_write(wake_up_.get(), 1);
}

void EventLoop::Quit() {
  Post([this] { quit_ = true; });
}

void EventLoop::RunPosted() {
  std::deque<Task> tasks;
  {
    MutexLock lock(mutex_);
    eventfd_t count = 0;
    eventfd_read(wake_up_.get(), &count);
    tasks.swap(tasks_);
  }
  for (Task& task : tasks) task();
}

absl::StatusOr<EventLoop::Watch> EventLoop::WatchFd(FdRef fd, uint32_t events, FdHandler handler) {
  Watch watch;
  watch.source_ = std::make_shared<Watch::Source>();
  watch.source_->on_fd = std::move(handler);
  const int r =
      sd_event_add_io(event_, &watch.source_->source, fd.get(), events, Watch::Source::OnIo, watch.source_.get());
  if (r < 0) return ErrnoError("sd_event_add_io", "", -r);
  return watch;
}

absl::StatusOr<EventLoop::Watch> EventLoop::After(absl::Duration delay, Task task) {
  constexpr uint64_t kAccuracyUsec = 1000;
  Watch watch;
  watch.source_ = std::make_shared<Watch::Source>();
  watch.source_->on_event = std::move(task);
  const uint64_t usec = static_cast<uint64_t>(absl::ToInt64Microseconds(std::max(delay, absl::ZeroDuration())));
  const int r = sd_event_add_time_relative(event_, &watch.source_->source, CLOCK_MONOTONIC, usec, kAccuracyUsec,
                                           Watch::Source::OnTime, watch.source_.get());
  if (r < 0) return ErrnoError("sd_event_add_time_relative", "", -r);
  return watch;
}

absl::StatusOr<EventLoop::Watch> EventLoop::OnSignal(int signal, Task task) {
  Watch watch;
  watch.source_ = std::make_shared<Watch::Source>();
  watch.source_->on_event = std::move(task);
  const int r =
      sd_event_add_signal(event_, &watch.source_->source, signal, Watch::Source::OnSignal, watch.source_.get());
  if (r < 0) return ErrnoError("sd_event_add_signal", "", -r, "the signal must be blocked in every thread");
  return watch;
}

void BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

}  // namespace p2pd
