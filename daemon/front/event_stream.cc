#include "daemon/front/event_stream.h"

#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/front/grpc_status.h"
#include "daemon/front/to_proto.h"

namespace p2pd {
namespace {

absl::Status FellBehind(size_t limit) {
  return MakeError(absl::StatusCode::kResourceExhausted,
                   {.reason = Reason::kFellBehind,
                    .step = "WatchEvents",
                    .object = "",
                    .hint = "watch again: the first events show everything as it is then"},
                   absl::StrCat("more than ", limit, " events are unread"));
}

absl::Status SessionEnded() {
  return MakeError(absl::StatusCode::kUnauthenticated,
                   {.reason = Reason::kSessionEnded, .step = "WatchEvents", .object = "", .hint = "connect anew"},
                   "the session has ended");
}

// The snapshot that a watch begins with may be as long as it must.
bool IsChange(const Event& event) { return event.type != EventType::kSnapshot && event.type != EventType::kInSync; }

}  // namespace

class EventStream::Reactor final : public grpc::ServerWriteReactor<v1::Event> {
 public:
  Reactor(std::shared_ptr<EventStream> stream, std::function<void()> on_done)
      : stream_(std::move(stream)), on_done_(std::move(on_done)) {}

  void OnWriteDone(bool ok) override { stream_->OnWriteDone(ok); }
  void OnCancel() override { stream_->End(absl::CancelledError("cancelled")); }
  void OnDone() override {
    on_done_();
    delete this;
  }

 private:
  const std::shared_ptr<EventStream> stream_;
  const std::function<void()> on_done_;
};

std::pair<grpc::ServerWriteReactor<v1::Event>*, std::shared_ptr<EventStream>> EventStream::Create(
    EventLoop& loop, SessionId viewer, size_t max_queued, std::function<void()> on_done) {
  std::shared_ptr<EventStream> stream(new EventStream(loop, viewer, max_queued));
  stream->reactor_ = new Reactor(stream, std::move(on_done));
  return {stream->reactor_, stream};
}

void EventStream::OnEvent(const std::shared_ptr<const Event>& event) {
  MutexLock lock(mutex_);
  if (end_.has_value()) return;
  Queue(event);
  if (std::exchange(pump_posted_, true)) return;
  loop_.Post([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    {
      MutexLock pump_lock(self->mutex_);
      self->pump_posted_ = false;
    }
    self->Pump();
  });
}

void EventStream::Queue(const std::shared_ptr<const Event>& event) {
  if (IsChange(*event) && ++unread_changes_ > max_queued_) {
    end_ = FellBehind(max_queued_);
    queue_.clear();
    return;
  }
  queue_.push_back(event);
  const auto* session = std::get_if<SessionView>(&event->object);
  if (session != nullptr && session->id == viewer_ && event->type == EventType::kDeleted) end_ = SessionEnded();
}

void EventStream::End(const absl::Status& status) {
  {
    MutexLock lock(mutex_);
    if (!end_.has_value()) end_ = status;
  }
  Pump();
}

void EventStream::OnWriteDone(bool ok) {
  {
    MutexLock lock(mutex_);
    writing_ = false;
    if (!ok && !end_.has_value()) end_ = absl::CancelledError("the client is gone");
  }
  Pump();
}

void EventStream::Pump() {
  std::shared_ptr<const Event> next;
  absl::Status end;
  {
    MutexLock lock(mutex_);
    if (finished_ || writing_) return;
    if (end_.has_value()) {
      finished_ = true;
      end = *end_;
      queue_.clear();
    } else if (queue_.empty()) {
      return;
    } else {
      writing_ = true;
      next = std::move(queue_.front());
      queue_.pop_front();
      unread_changes_ -= IsChange(*next);
    }
  }
  if (next == nullptr) return reactor_->Finish(ToGrpc(end));
  written_ = ToProto(*next);
  reactor_->StartWrite(&written_);
}

}  // namespace p2pd
