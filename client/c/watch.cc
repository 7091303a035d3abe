// The event stream, for C. A thread reads it, so that whoever waits for an event can stop waiting; it reads no
// further ahead than a bounded number of events.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "client/c/error.h"
#include "client/c/handles.h"
#include "daemon/base/mutex.h"

using ::p2p::c::Tell;

namespace {

constexpr size_t kMostAhead = 1024;
constexpr int64_t kLongest = int64_t{365} * 24 * 3600 * 1000;  // milliseconds; no sum with a clock overflows

// What all kinds of objects have, and what some have.
template <typename Object>
void Describe(const Object& object, p2p_event& event) {
  event.name = object.name().c_str();
  if constexpr (requires { object.state(); }) event.state = object.state();
  if constexpr (requires { object.generation(); }) event.generation = object.generation();
  if constexpr (requires { object.session(); }) event.session = object.session().c_str();
  if constexpr (requires { object.driver_session(); }) event.session = object.driver_session().c_str();
}

p2p_event EventOf(const p2p::v1::Event& event) {
  p2p_event result = {.type = static_cast<uint32_t>(event.type()),
                      .state = 0,
                      .sequence = event.sequence(),
                      .generation = 0,
                      .name = "",
                      .session = ""};
  switch (event.object_case()) {
    case p2p::v1::Event::kDevice:
      Describe(event.device(), result);
      break;
    case p2p::v1::Event::kSession:
      Describe(event.session(), result);
      break;
    case p2p::v1::Event::kExport:
      Describe(event.export_(), result);
      break;
    case p2p::v1::Event::kAddressSpace:
      Describe(event.address_space(), result);
      break;
    case p2p::v1::Event::kMapping:
      Describe(event.mapping(), result);
      break;
    case p2p::v1::Event::kOperation:
      Describe(event.operation(), result);
      break;
    case p2p::v1::Event::OBJECT_NOT_SET:
      break;
  }
  return result;
}

}  // namespace

struct p2p_watch {
 public:
  explicit p2p_watch(std::unique_ptr<p2p::EventStream> stream)
      : owner_(getpid()), stream_(std::move(stream)), reader_([this] { Read(); }) {}
  ~p2p_watch() {
    Cancel();
    reader_.join();
  }

  bool inherited() const { return getpid() != owner_; }

  absl::StatusOr<const p2p_event*> Next(int64_t timeout_ms) ABSL_LOCKS_EXCLUDED(mutex_) {
    if (inherited()) return stream_->Next().status();
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(std::min(timeout_ms, kLongest));
    p2pd::MutexLock lock(mutex_);
    while (ahead_.empty() && ended_.ok()) {
      if (timeout_ms < 0) {
        changed_.wait(mutex_);
      } else if (changed_.wait_until(mutex_, until) == std::cv_status::timeout && ahead_.empty() && ended_.ok()) {
        return absl::DeadlineExceededError("WatchEvents: no event yet");
      }
    }
    if (ahead_.empty()) return ended_;
    current_ = std::move(ahead_.front());
    ahead_.pop_front();
    changed_.notify_all();
    event_ = EventOf(current_);
    return &event_;
  }

  void Cancel() ABSL_LOCKS_EXCLUDED(mutex_) {
    if (inherited()) return;
    stream_->Cancel();
    p2pd::MutexLock lock(mutex_);
    cancelled_ = true;
    changed_.notify_all();
  }

 private:
  void Read() ABSL_LOCKS_EXCLUDED(mutex_) {
    for (;;) {
      absl::StatusOr<p2p::v1::Event> event = stream_->Next();
      p2pd::MutexLock lock(mutex_);
      while (ahead_.size() >= kMostAhead && !cancelled_) changed_.wait(mutex_);
      if (event.ok() && !cancelled_) {
        ahead_.push_back(*std::move(event));
      } else {
        ended_ = event.ok() ? absl::CancelledError("WatchEvents: cancelled") : event.status();
      }
      changed_.notify_all();
      if (!ended_.ok()) return;
    }
  }

  const pid_t owner_;
  const std::unique_ptr<p2p::EventStream> stream_;
  p2pd::Mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<p2p::v1::Event> ahead_ ABSL_GUARDED_BY(mutex_);
  absl::Status ended_ ABSL_GUARDED_BY(mutex_);
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  p2p::v1::Event current_;  // what event_ points into
  p2p_event event_ = {};
  std::thread reader_;
};

int p2p_watch_open(p2p_session* session, p2p_watch** watch, p2p_error* error) {
  const absl::Status status = session->session->ended();
  if (status.ok()) *watch = new p2p_watch(session->session->Watch());
  return Tell(status, error);
}

int p2p_watch_next(p2p_watch* watch, int64_t timeout_ms, const p2p_event** event, p2p_error* error) {
  const auto next = watch->Next(timeout_ms);
  if (next.ok()) *event = *next;
  return Tell(next.status(), error);
}

void p2p_watch_cancel(p2p_watch* watch) { watch->Cancel(); }

void p2p_watch_close(p2p_watch* watch) {
  // In a child of fork() it has no thread to wait for, and perhaps a lock that is held for ever.
  if (watch != nullptr && !watch->inherited()) delete watch;
}
