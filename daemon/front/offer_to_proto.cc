#include "daemon/front/offer_to_proto.h"

#include "absl/time/time.h"
#include "daemon/base/errors.h"
#include "daemon/front/from_proto.h"
#include "daemon/front/resource_name.h"

namespace p2pd {
namespace {

constexpr size_t kLongestUnit = 256;

}  // namespace

v1::Offer ToProto(const OfferView& view) {
  v1::Offer offer;
  offer.set_name(NameOf(view.id));
  offer.set_session(NameOf(view.session));
  offer.mutable_window()->set_device(NameOf(view.window.device));
  offer.mutable_window()->set_bar(static_cast<uint32_t>(view.window.bar));
  offer.mutable_window()->set_offset(view.window.range.start);
  offer.mutable_window()->set_length(view.window.range.length);
  v1::OfferedTo& to = *offer.mutable_to();
  if (view.terms.uid.has_value()) to.set_uid(*view.terms.uid);
  if (view.terms.gid.has_value()) to.set_gid(*view.terms.gid);
  to.set_unit(view.terms.unit);
  if (view.terms.session.has_value()) to.set_session(NameOf(*view.terms.session));
  offer.set_access(static_cast<v1::Access>(view.terms.access));
  if (view.expires.has_value()) {
    const absl::Duration since = *view.expires - absl::UnixEpoch();
    offer.mutable_expire_time()->set_seconds(absl::ToInt64Seconds(since));
    offer.mutable_expire_time()->set_nanos(
        static_cast<int32_t>(absl::ToInt64Nanoseconds(since - absl::Seconds(absl::ToInt64Seconds(since)))));
  }
  return offer;
}

v1::WithdrawOfferResponse ToProto(const WithdrawalView& view) {
  v1::WithdrawOfferResponse response;
  if (view.operation.has_value()) response.set_operation(NameOf(*view.operation));
  return response;
}

absl::StatusOr<OfferTerms> TermsFromProto(const v1::OfferWindowRequest& request) {
  OfferTerms terms = {.unit = request.to().unit(), .time_to_live = TimeToLiveOf(request)};
  if (request.to().has_uid()) terms.uid = request.to().uid();
  if (request.to().has_gid()) terms.gid = request.to().gid();
  if (terms.unit.size() > kLongestUnit) {
    return MakeError(absl::StatusCode::kInvalidArgument,
                     {.reason = Reason::kInvalidArgument, .step = "to.unit", .hint = "at most 256 bytes"},
                     "it is too long");
  }
  if (!request.to().session().empty()) {
    P2PD_ASSIGN_OR_RETURN(terms.session, ParseSessionName(request.to().session()));
  }
  if (request.access() != v1::ACCESS_UNSPECIFIED) terms.access = static_cast<Access>(request.access());
  return terms;
}

}  // namespace p2pd
