#include "client/p2pctl/progress.h"

#include <utility>

#include "absl/time/time.h"

namespace p2p::ctl {

Progress::Progress(Context& context, Session& session, Subject subject)
    : context_(context), subject_(std::move(subject)), events_(session.Watch()), thread_([this] { Run(); }) {
  // A p2pd that does not get there in time will not answer in time either, and is told of then.
  watching_.get_future().wait_for(absl::ToChronoNanoseconds(context.timeout()));
}

Progress::~Progress() { Stop(); }

void Progress::Finish(const v1::Operation& receipt) {
  Stop();
  Tell(receipt);
}

void Progress::Run() {
  bool in_sync = false;
  for (absl::StatusOr<v1::Event> event = events_->Next(); event.ok(); event = events_->Next()) {
    if (event->type() == v1::Event::IN_SYNC && !std::exchange(in_sync, true)) watching_.set_value();
    const v1::Operation& operation = event->operation();
    if (!event->has_operation() || operation.kind() != subject_.kind) continue;
    if (!subject_.device.empty() && operation.device() != subject_.device) continue;
    if (in_sync) {
      Tell(operation);
    } else {
      lines_.Take(operation);  // of before: told to whoever asked for it
    }
  }
  if (!in_sync) watching_.set_value();
}

void Progress::Tell(const v1::Operation& operation) {
  for (const std::string& line : lines_.Take(operation)) context_.PrintProgress(line);
}

void Progress::Stop() {
  if (!thread_.joinable()) return;
  events_->Cancel();
  thread_.join();
}

}  // namespace p2p::ctl
