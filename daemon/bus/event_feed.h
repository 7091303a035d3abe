// Core's events on the loop's thread, a batch a turn. Of what there may be very many of (mappings, exports, address
// spaces) it only says that something has changed, and no more until whoever shows counts has asked core for them.
#ifndef P2PD_DAEMON_BUS_EVENT_FEED_H_
#define P2PD_DAEMON_BUS_EVENT_FEED_H_

#include <functional>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "daemon/base/mutex.h"
#include "daemon/core/broker.h"
#include "daemon/service/event_loop.h"

namespace p2pd {

class EventFeed final : public Watcher, public std::enable_shared_from_this<EventFeed> {
 public:
  using Batch = std::vector<std::shared_ptr<const Event>>;
  // Events about devices, sessions, operations and lost mappings, in order; empty where only counts have changed.
  using Handler = std::function<void(const Batch&)>;

  // The loop outlives the feed. The handler is not called after the feed has gone.
  static std::shared_ptr<EventFeed> Create(EventLoop& loop, Handler handler);

  void OnEvent(const std::shared_ptr<const Event>& event) override ABSL_LOCKS_EXCLUDED(mutex_);
  bool Wants(const MappingView& mapping) const override;
  void OnUnwanted() override ABSL_LOCKS_EXCLUDED(mutex_);

  // The handler's owner is about to look at the counts: what changes from now on is news again.
  void LookAtCounts() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  EventFeed(EventLoop& loop, Handler handler) : loop_(loop), handler_(std::move(handler)) {}
  void NoteCounts() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DeliverSoon() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Deliver() ABSL_LOCKS_EXCLUDED(mutex_);

  EventLoop& loop_;
  const Handler handler_;
  Mutex mutex_;
  Batch waiting_ ABSL_GUARDED_BY(mutex_);
  bool posted_ ABSL_GUARDED_BY(mutex_) = false;
  bool counts_changed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_BUS_EVENT_FEED_H_
