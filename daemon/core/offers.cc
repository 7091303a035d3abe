// Drivers' offers. One that goes takes along what rested on it: every grant is judged anew without it.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "daemon/base/errors.h"
#include "daemon/core/core.h"
#include "daemon/core/offer.h"
#include "daemon/core/once.h"
#include "daemon/core/rejudging.h"

namespace p2pd {
namespace {

constexpr size_t kMostOffers = 1024;  // of one device

absl::Status NoSuchOffer(OfferId id) {
  return MakeError(absl::StatusCode::kNotFound,
                   {.reason = Reason::kNotFound,
                    .step = "WithdrawOffer",
                    .object = absl::StrCat("offers/", id.value()),
                    .hint = "p2pctl offers lists them"},
                   "no such offer, or not this session's");
}

}  // namespace

std::string Fingerprint(const OfferTerms& terms) {
  const auto number = [](const auto& value) { return value.has_value() ? absl::StrCat(*value) : "-"; };
  return absl::StrCat(number(terms.uid), " ", number(terms.gid), " ",
                      terms.session.has_value() ? absl::StrCat(terms.session->value()) : "-", " ",
                      static_cast<int>(terms.access), " ", absl::FormatDuration(terms.time_to_live), " ", terms.unit);
}

void Broker::OfferWindow(SessionId session, const std::string& request_id, const Window& window,
                         const OfferTerms& terms, Done<OfferView> done) {
  const auto body = [&](CoreLock& lock, SessionEntry& asking, Done<OfferView>& finish) -> absl::Status {
    core_->mutex.AssertHeld();
    P2PD_ASSIGN_OR_RETURN(OfferView view, core_->Offer(asking, window, terms));
    lock.After([finish = std::move(finish), view = std::move(view)]() mutable { finish(std::move(view)); });
    return absl::OkStatus();
  };
  core_->Once<OfferView>(session, request_id, absl::StrCat("OfferWindow ", WindowName(window), " ", Fingerprint(terms)),
                         std::move(done), body);
}

absl::StatusOr<OfferView> Core::Offer(const SessionEntry& session, const Window& window, const OfferTerms& terms) {
  P2PD_ASSIGN_OR_RETURN(const DeviceEntry* const device, RequireDevice(window.device));
  if (device->view.driver != session.view.id) {
    return DeviceError(*device, absl::StatusCode::kFailedPrecondition, Reason::kNotOwner, "OfferWindow",
                       "this session does not drive it", "only its driver can offer windows of it");
  }
  P2PD_RETURN_IF_ERROR(CheckWindow(device->view, window, "OfferWindow"));
  P2PD_RETURN_IF_ERROR(CheckTimeToLive(terms.time_to_live, "OfferWindow", DeviceName(window.device)));
  const auto of_device = [&](const auto& offer) { return offer.second.view.window.device == window.device; };
  if (std::count_if(tables.offers.begin(), tables.offers.end(), of_device) >= static_cast<int>(kMostOffers)) {
    return DeviceError(*device, absl::StatusCode::kResourceExhausted, Reason::kQuota, "OfferWindow",
                       absl::StrCat("it has ", kMostOffers, " offers already"), "withdraw some");
  }
  const OfferId id(tables.NextId());
  OfferEntry& entry = tables.offers[id];
  entry.view = {.id = id, .session = session.view.id, .window = window, .terms = terms};
  if (terms.time_to_live == absl::InfiniteDuration()) return entry.view;
  entry.view.expires = absl::Now() + terms.time_to_live;
  WatchOffer(entry.view);
  return entry.view;
}

void Core::WatchOffer(const OfferView& view) {
  scheduler.RunAfter(view.terms.time_to_live, [self = shared_from_this(), id = view.id] {
    CoreLock lock(self->mutex);
    if (self->tables.offers.contains(id)) {
      self->Withdraw(lock, id, OperationKind::kExpiry, "its time to live was over", nullptr);
    }
  });
}

void Broker::WithdrawOffer(SessionId session, const std::string& request_id, OfferId id, Done<WithdrawalView> done) {
  const auto body = [&](CoreLock& lock, SessionEntry&, Done<WithdrawalView>& finish) -> absl::Status {
    core_->mutex.AssertHeld();
    const auto offer = core_->tables.offers.find(id);
    if (offer == core_->tables.offers.end() || offer->second.view.session != session) return NoSuchOffer(id);
    core_->Withdraw(lock, id, OperationKind::kWithdrawal, "it was withdrawn", std::move(finish));
    return absl::OkStatus();
  };
  core_->Once<WithdrawalView>(session, request_id, absl::StrCat("WithdrawOffer ", id.value()), std::move(done), body);
}

void Core::Withdraw(CoreLock& lock, OfferId id, OperationKind kind, const std::string& why, Done<WithdrawalView> done) {
  tables.offers.erase(id);
  Rejudging rejudging(*this, *policy, absl::StrCat("offers/", id.value(), ": ", why));
  RevokeOrder order = rejudging.Commit(lock, kind);
  if (order.mappings.empty() && order.exports.empty() && order.devices.empty()) {
    if (done == nullptr) return journal.Forget(id);
    lock.After([done = std::move(done), id]() mutable { done(WithdrawalView{.offer = id}); });
    return;
  }
  if (done != nullptr) {
    order.done = [done = std::move(done), id](const absl::StatusOr<OperationView>& operation) mutable {
      if (!operation.ok()) return done(operation.status());
      done(WithdrawalView{.offer = id, .operation = operation->id});
    };
  }
  journal.Begin();
  journal.Forget(id);
  Revoke(lock, std::move(order));
  journal.End();
}

// Who drove it is forgotten, and with it what it offered and by what right it drove.
void Core::ForgetDriver(DeviceEntry& device) {
  device.view.driver.reset();
  device.view.driver_rule.clear();
  device.view.driver_rule_origin.clear();
  device.grounds = {};
  std::erase_if(tables.offers, [&](const auto& offer) {
    mutex.AssertHeld();
    if (offer.second.view.window.device != device.view.address) return false;
    journal.Forget(offer.first);
    return true;
  });
}

bool Core::IsOffered(const Subject& subject, std::optional<SessionId> session, const Window& window,
                     std::optional<Access> access) const {
  return std::any_of(tables.offers.begin(), tables.offers.end(),
                     [&](const auto& offer) { return Covers(offer.second.view, subject, session, window, access); });
}

std::vector<OfferView> Broker::ListOffers(SessionId viewer, const Page& page) const {
  CoreLock lock(core_->mutex);
  std::vector<OfferView> views;
  const SessionEntry* session = core_->tables.FindSession(viewer);
  if (session == nullptr) return views;
  const bool observer = core_->MayObserve(viewer);
  const auto& offers = core_->tables.offers;
  for (auto offer = offers.upper_bound(OfferId(page.after)); offer != offers.end() && views.size() < page.limit;
       ++offer) {
    const OfferView& view = offer->second.view;
    const bool made_to_it = Covers(view, session->view.peer.subject, viewer, view.window, std::nullopt);
    if (observer || view.session == viewer || made_to_it) views.push_back(view);
  }
  return views;
}

}  // namespace p2pd
