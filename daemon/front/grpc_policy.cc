#include "daemon/base/errors.h"
#include "daemon/front/grpc_service.h"
#include "daemon/front/policy_to_proto.h"
#include "daemon/front/unary_call.h"

namespace p2pd {

GrpcService::Reactor* GrpcService::ReloadPolicy(Context* context, const v1::ReloadPolicyRequest* request,
                                                v1::ReloadPolicyResponse* response) {
  return Change(context, request->request_id(), [&](SessionId session, Reactor* reactor) -> absl::Status {
    broker_.ReloadPolicy(session, request->request_id(), request->dry_run(),
                         Reply<ReloadView, v1::ReloadPolicyResponse>(reactor, response));
    return absl::OkStatus();
  });
}

GrpcService::Reactor* GrpcService::ExplainPolicy(Context* context, const v1::ExplainPolicyRequest* request,
                                                 v1::ExplainPolicyResponse* response) {
  return Look(context, [&](SessionId viewer) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const ExplainArgs args, FromProto(*request));
    P2PD_ASSIGN_OR_RETURN(const ExplanationView view, broker_.ExplainPolicy(viewer, args));
    *response = ToProto(view);
    return absl::OkStatus();
  });
}

}  // namespace p2pd
