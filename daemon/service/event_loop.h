// The one place where the daemon waits: descriptors, timers and signals, over sd-event, on one thread that
// never blocks. Other threads reach that thread by Post(), a queue behind one eventfd.
//
// Invariant: a handler runs on the loop's thread only, and never after its Watch is gone. Everything but
// Post() and Quit() belongs to that thread (and to whoever sets the loop up before Run()).
#ifndef P2PD_DAEMON_SERVICE_EVENT_LOOP_H_
#define P2PD_DAEMON_SERVICE_EVENT_LOOP_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/base/mutex.h"
#include "daemon/base/scheduler.h"
#include "daemon/base/unique_fd.h"

struct sd_event;

namespace p2pd {

class EventLoop {
 public:
  // Keeps a handler in place for as long as it lives. May be dropped by the handler itself.
  class Watch {
   public:
    Watch() = default;
    Watch(Watch&& other) noexcept = default;
    Watch& operator=(Watch&& other) noexcept;
    ~Watch() { Reset(); }

    void Reset();
    // Of a descriptor: what to wait for from now on (EPOLLIN, EPOLLOUT; EPOLLHUP and EPOLLERR always count).
    void SetEvents(uint32_t events);

   private:
    friend class EventLoop;
    struct Source;
    std::shared_ptr<Source> source_;
  };

  using FdHandler = absl::AnyInvocable<void(uint32_t revents)>;

  static absl::StatusOr<std::unique_ptr<EventLoop>> Create();
  ~EventLoop();

  // Returns after Quit(); may be called again. Errors: sd-event's own.
  absl::Status Run();

  // Any thread: runs `task` on the loop's thread, after what was posted before. Never blocks.
  void Post(Task task) ABSL_LOCKS_EXCLUDED(mutex_);
  // Any thread: makes Run() return once what was posted before has run.
  void Quit();

  // Level-triggered; the descriptor must stay open until the Watch is gone.
  absl::StatusOr<Watch> WatchFd(FdRef fd, uint32_t events, FdHandler handler);
  // Once, when `delay` has passed on CLOCK_MONOTONIC.
  absl::StatusOr<Watch> After(absl::Duration delay, Task task);
  // The signal must be blocked in every thread (BlockStopSignals before the first thread starts).
  absl::StatusOr<Watch> OnSignal(int signal, Task task);

  // For a library of systemd's that brings its own sources: sd-bus.
  sd_event* sd() { return event_; }

 private:
  EventLoop(sd_event* event, UniqueFd wake_up);
  void RunPosted() ABSL_LOCKS_EXCLUDED(mutex_);

  sd_event* const event_;
  const UniqueFd wake_up_;
  Watch posted_;
  Watch timer_kept_;
  bool quit_ = false;  // the loop's thread only
  Mutex mutex_;
  std::deque<Task> tasks_ ABSL_GUARDED_BY(mutex_);
};

// Blocks the signals that ask the daemon to stop, in this thread and those it starts.
void BlockStopSignals();

}  // namespace p2pd

#endif  // P2PD_DAEMON_SERVICE_EVENT_LOOP_H_
