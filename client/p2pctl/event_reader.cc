#include "client/p2pctl/event_reader.h"

#include "client/error.h"

namespace p2p::ctl {

absl::StatusOr<v1::Event> EventReader::Next() {
  absl::StatusOr<v1::Event> event = events_->Next();
  while (!event.ok() && GetErrorDetail(event.status()).reason() == v1::ErrorDetail::FELL_BEHIND) {
    context_.Note("events were lost: this watch fell behind; what follows is everything as it is now");
    events_ = session_.Watch();
    event = events_->Next();
  }
  return event;
}

}  // namespace p2p::ctl
