// What lives for a time: exports, unless they are renewed, and every grant whose rule says how old it may become.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "daemon/base/errors.h"
#include "daemon/core/core.h"
#include "daemon/core/once.h"
#include "daemon/core/rows.h"

namespace p2pd {
namespace {

constexpr absl::Duration kShortestLife = absl::Milliseconds(1);
constexpr absl::Duration kLongestLife = absl::Hours(10 * 365 * 24);

// When its rule ends a grant, on the Scheduler's clock.
absl::Duration EndOfLife(const Moment& granted, const Grounds& grounds) {
  return granted.clock + grounds.limits.time_to_live.value_or(absl::InfiniteDuration());
}

std::string TooOld(const Grounds& grounds) {
  return absl::StrCat("it is as old as rule ", grounds.rule, " (", grounds.origin, ") lets it become");
}

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

Moment Core::Now() const { return {.clock = scheduler.Now(), .wall = absl::Now()}; }

Moment Core::MomentOf(absl::Time wall) const {
  return {.clock = scheduler.Now() - std::max(absl::Now() - wall, absl::ZeroDuration()), .wall = wall};
}

void Core::SetExpiry(ExportEntry& entry, absl::Duration time_to_live) {
  entry.asked = scheduler.Now() + time_to_live;
  entry.wanted_until.reset();
  if (time_to_live != absl::InfiniteDuration()) entry.wanted_until = absl::Now() + time_to_live;
  WatchAge(entry);
}

// What its owner wants, and what its rule grants from the beginning on, however often it is renewed.
void Core::WatchAge(ExportEntry& entry) {
  entry.expires = std::min(entry.asked, EndOfLife(entry.granted, entry.grounds));
  entry.view.expires.reset();
  if (entry.expires == absl::InfiniteDuration()) return;
  entry.view.expires = absl::Now() + (entry.expires - scheduler.Now());
  WatchExpiry(entry);
}

void Core::WatchAge(const MappingEntry& mapping) {
  const absl::Duration end = EndOfLife(mapping.granted, mapping.grounds);
  if (end == absl::InfiniteDuration()) return;
  scheduler.RunAfter(end - scheduler.Now(), [self = shared_from_this(), id = mapping.view.id] {
    CoreLock lock(self->mutex);
    const MappingEntry* old = self->tables.FindMapping(id);
    // Another policy may have given it longer.
    if (old == nullptr || self->scheduler.Now() < EndOfLife(old->granted, old->grounds)) return;
    self->Revoke(lock, {.kind = OperationKind::kExpiry, .reason = TooOld(old->grounds), .mappings = {id}});
  });
}

void Core::WatchAge(const DeviceEntry& device) {
  const absl::Duration end = EndOfLife(device.granted, device.grounds);
  if (end == absl::InfiniteDuration()) return;
  scheduler.RunAfter(end - scheduler.Now(), [self = shared_from_this(), address = device.view.address] {
    CoreLock lock(self->mutex);
    DeviceEntry& driven = self->tables.devices.at(address);
    if (!driven.view.driver.has_value()) return;
    if (self->scheduler.Now() < EndOfLife(driven.granted, driven.grounds)) return;
    self->TakeFromDriver(lock, driven, OperationKind::kExpiry, TooOld(driven.grounds));
  });
}

void Core::TakeFromDriver(CoreLock& lock, DeviceEntry& device, OperationKind kind, const std::string& reason) {
  TellHolders(lock, device, reason);
  if (device.operation.has_value()) {
    device.end_pending = {.kind = kind, .reason = reason};
    return;
  }
  RevokeOrder order = DriverEnd({device.view.address}, device.view.driver);
  order.kind = kind;
  order.reason = reason;
  Revoke(lock, std::move(order));
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
  order.reason = entry.expires < entry.asked ? TooOld(entry.grounds) : "its time to live was over";
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
    core_->journal.Note(RowOf(*entry));
    core_->tables.Publish(EventType::kChanged, entry->view, entry->view.session);
    lock.After([finish = std::move(finish), view = entry->view]() mutable { finish(std::move(view)); });
    return absl::OkStatus();
  };
  core_->Once<ExportView>(session, request_id,
                          absl::StrCat("RenewExport ", id.value(), " ", absl::FormatDuration(time_to_live)),
                          std::move(done), body);
}

}  // namespace p2pd
