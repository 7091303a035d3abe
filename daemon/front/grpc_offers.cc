#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/front/from_proto.h"
#include "daemon/front/grpc_service.h"
#include "daemon/front/offer_to_proto.h"
#include "daemon/front/resource_name.h"
#include "daemon/front/unary_call.h"

namespace p2pd {

GrpcService::Reactor* GrpcService::OfferWindow(Context* context, const v1::OfferWindowRequest* request,
                                               v1::Offer* response) {
  return Change(context, request->request_id(), [&](SessionId session, Reactor* reactor) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const Window window, FromProto(request->window()));
    P2PD_ASSIGN_OR_RETURN(const OfferTerms terms, TermsFromProto(*request));
    broker_.OfferWindow(session, request->request_id(), window, terms, Reply<OfferView, v1::Offer>(reactor, response));
    return absl::OkStatus();
  });
}

GrpcService::Reactor* GrpcService::WithdrawOffer(Context* context, const v1::WithdrawOfferRequest* request,
                                                 v1::WithdrawOfferResponse* response) {
  return Change(context, request->request_id(), [&](SessionId session, Reactor* reactor) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const OfferId id, ParseOfferName(request->name()));
    broker_.WithdrawOffer(session, request->request_id(), id,
                          Reply<WithdrawalView, v1::WithdrawOfferResponse>(reactor, response));
    return absl::OkStatus();
  });
}

GrpcService::Reactor* GrpcService::ListOffers(Context* context, const v1::ListOffersRequest* request,
                                              v1::ListOffersResponse* response) {
  return Look(context, [&](SessionId viewer) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const Page page, PageFromProto(request->page_size(), request->page_token()));
    const std::vector<OfferView> offers = broker_.ListOffers(viewer, page);
    for (const OfferView& offer : offers) *response->add_offers() = ToProto(offer);
    if (offers.size() == page.limit) response->set_next_page_token(absl::StrCat(offers.back().id.value()));
    return absl::OkStatus();
  });
}

}  // namespace p2pd
