#include "daemon/bus/event_feed.h"

#include <utility>

namespace p2pd {
namespace {

bool IsLost(const MappingView& mapping) { return mapping.state == MappingState::kLost; }

bool IsTold(const Event& event) {
  if (const auto* mapping = std::get_if<MappingView>(&event.object)) return IsLost(*mapping);
  return std::holds_alternative<DeviceView>(event.object) || std::holds_alternative<SessionView>(event.object) ||
         std::holds_alternative<OperationView>(event.object);
}

}  // namespace

std::shared_ptr<EventFeed> EventFeed::Create(EventLoop& loop, Handler handler) {
  return std::shared_ptr<EventFeed>(new EventFeed(loop, std::move(handler)));
}

void EventFeed::OnEvent(const std::shared_ptr<const Event>& event) {
  MutexLock lock(mutex_);
  if (!IsTold(*event)) return NoteCounts();
  waiting_.push_back(event);
  DeliverSoon();
}

bool EventFeed::Wants(const MappingView& mapping) const { return IsLost(mapping); }

void EventFeed::OnUnwanted() {
  MutexLock lock(mutex_);
  NoteCounts();
}

void EventFeed::LookAtCounts() {
  MutexLock lock(mutex_);
  counts_changed_ = false;
}

void EventFeed::NoteCounts() {
  if (!std::exchange(counts_changed_, true)) DeliverSoon();
}

void EventFeed::DeliverSoon() {
  if (std::exchange(posted_, true)) return;
  loop_.Post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Deliver();
  });
}

void EventFeed::Deliver() {
  Batch batch;
  {
    MutexLock lock(mutex_);
    batch.swap(waiting_);
    posted_ = false;
  }
  handler_(batch);
}

}  // namespace p2pd
