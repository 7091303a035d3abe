// Exports that live for a time, unless they are renewed.
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "daemon/base/errors.h"
#include "daemon/core/core.h"
#include "daemon/core/rows.h"

namespace p2pd {
namespace {

constexpr absl::Duration kShortestLife = absl::Milliseconds(1);
constexpr absl::Duration kLongestLife = absl::Hours(10 * 365 * 24);

}  // namespace

absl::Status CheckTimeToLive(absl::Duration time_to_live, absl::string_view step, const std::string& object) {
  if (time_to_live == absl::InfiniteDuration()) return absl::OkStatus();
  if (time_to_live >= kShortestLife && time_to_live <= kLongestLife) return absl::OkStatus();
  return MakeError(absl::StatusCode::kInvalidArgument,
                   {.reason = Reason::kInvalidArgument,
                    .step = std::string(step),
                    .object = object,
                    .hint = "leave it out for an export that lives as long as its session"},
                   absl::StrCat("its time to live is ", absl::FormatDuration(time_to_live),
                                ", and must be between 1 ms and 10 years"));
}

void Core::SetExpiry(ExportEntry& entry, absl::Duration time_to_live) {
  entry.expires = scheduler.Now() + time_to_live;
  entry.view.expires.reset();
  if (time_to_live == absl::InfiniteDuration()) return;
  entry.view.expires = absl::Now() + time_to_live;
  WatchExpiry(entry);
}

// One timer does for an export that is renewed again and again: it is set anew when it finds that there is time left.
void Core::WatchExpiry(ExportEntry& entry) {
  if (entry.next_look <= entry.expires) return;
  entry.next_look = entry.expires;
  scheduler.RunAfter(entry.expires - scheduler.Now(), [self = shared_from_this(), id = entry.view.id] {
    CoreLock lock(self->mutex);
    const auto there = self->tables.exports.find(id);
    if (there != self->tables.exports.end()) self->CheckExpiry(lock, there->second);
  });
}

void Core::CheckExpiry(CoreLock& lock, ExportEntry& entry) {
  if (scheduler.Now() < entry.next_look) return;  // a timer of before it was renewed for a shorter time
  entry.next_look = absl::InfiniteDuration();
  if (entry.closing || entry.expires == absl::InfiniteDuration()) return;
  if (scheduler.Now() < entry.expires) return WatchExpiry(entry);
  RevokeOrder order = ExportEnd(entry);
  order.kind = OperationKind::kExpiry;
  order.reason = "its time to live was over";
  Revoke(lock, std::move(order));
}

void Broker::RenewExport(SessionId session, const std::string& request_id, ExportId id, absl::Duration time_to_live,
                         Done<ExportView> done) {
  const std::string name = absl::StrCat("exports/", id.value());
  const auto body = [&](CoreLock& lock, SessionEntry&, Done<ExportView>& finish) -> absl::Status {
    core_->mutex.AssertHeld();
    P2PD_RETURN_IF_ERROR(CheckTimeToLive(time_to_live, "RenewExport", name));
    P2PD_ASSIGN_OR_RETURN(ExportEntry* const entry, core_->RequireExport(session, id));
    core_->SetExpiry(*entry, time_to_live);
    core_->ledger.Note(RowOf(*entry));
    core_->tables.Publish(EventType::kChanged, entry->view, entry->view.session);
    lock.After([finish = std::move(finish), view = entry->view]() mutable { finish(std::move(view)); });
    return absl::OkStatus();
  };
  core_->Once<ExportView>(session, request_id,
                          absl::StrCat("RenewExport ", id.value(), " ", absl::FormatDuration(time_to_live)),
                          std::move(done), body);
}

}  // namespace p2pd
