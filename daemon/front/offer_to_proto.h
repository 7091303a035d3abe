// Drivers' offers as messages of the API, and back. Pure.
#ifndef P2PD_DAEMON_FRONT_OFFER_TO_PROTO_H_
#define P2PD_DAEMON_FRONT_OFFER_TO_PROTO_H_

#include "absl/status/statusor.h"
#include "daemon/core/types.h"
#include "proto/p2pd/v1/broker.pb.h"

namespace p2pd {

v1::Offer ToProto(const OfferView& view);
v1::WithdrawOfferResponse ToProto(const WithdrawalView& view);
// Errors: InvalidArgument, naming the field.
absl::StatusOr<OfferTerms> TermsFromProto(const v1::OfferWindowRequest& request);

}  // namespace p2pd

#endif  // P2PD_DAEMON_FRONT_OFFER_TO_PROTO_H_
