// One WatchEvents call: core's events, written to the client as fast as it reads.
//
// Invariants: one write at a time; after Finish nothing is written; core's thread only queues. A snapshot is
// queued whole, as it is no larger than core's tables; of what follows it, at most `max_queued` events wait.
#ifndef P2PD_DAEMON_FRONT_EVENT_STREAM_H_
#define P2PD_DAEMON_FRONT_EVENT_STREAM_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "daemon/base/mutex.h"
#include "daemon/core/broker.h"
#include "daemon/service/event_loop.h"
#include "grpcpp/support/server_callback.h"
#include "proto/p2pd/v1/broker.pb.h"

namespace p2pd {

class EventStream final : public Watcher, public std::enable_shared_from_this<EventStream> {
 public:
  // The call's reactor, which keeps the stream alive; `on_done` runs when the call is over.
  static std::pair<grpc::ServerWriteReactor<v1::Event>*, std::shared_ptr<EventStream>> Create(
      EventLoop& loop, SessionId viewer, size_t max_queued, std::function<void()> on_done);

  // Queues. The stream ends when too much is queued, or when its own session has ended.
  void OnEvent(const std::shared_ptr<const Event>& event) override ABSL_LOCKS_EXCLUDED(mutex_);

  // Finishes the call with `status` once the write in progress is over.
  void End(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  class Reactor;

  EventStream(EventLoop& loop, SessionId viewer, size_t max_queued)
      : loop_(loop), viewer_(viewer), max_queued_(max_queued) {}
  void OnWriteDone(bool ok) ABSL_LOCKS_EXCLUDED(mutex_);
  // Writes the next event, or finishes, unless a write is in progress. Never called under core's lock.
  void Pump() ABSL_LOCKS_EXCLUDED(mutex_);
  void Queue(const std::shared_ptr<const Event>& event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  EventLoop& loop_;
  const SessionId viewer_;
  const size_t max_queued_;
  Reactor* reactor_ = nullptr;  // alive until after Finish
  v1::Event written_;           // belongs to the write in progress

  Mutex mutex_;
  std::deque<std::shared_ptr<const Event>> queue_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
  size_t unread_changes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool pump_posted_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_FRONT_EVENT_STREAM_H_
