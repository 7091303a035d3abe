#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/front/grpc_service.h"
#include "daemon/front/policy_to_proto.h"
#include "daemon/front/resource_name.h"
#include "daemon/front/unary_call.h"
#include "daemon/service/log.h"
#include "daemon/service/message_ids.h"

namespace p2pd {
namespace {

void LogCall(const SessionView& session, const std::string& what) {
  const PeerIdentity& peer = session.peer;
  Log({.level = LogLevel::kNotice,
       .message = absl::StrCat(NameOf(session.id), " (uid ", peer.subject.uid, ", pid ", peer.pid, ", ", peer.comm,
                               ") asks: ", what),
       .id = kAdminCall,
       .fields = {{"P2PD_SESSION", NameOf(session.id)},
                  {"P2PD_UID", absl::StrCat(peer.subject.uid)},
                  {"P2PD_PID", absl::StrCat(peer.pid)},
                  {"P2PD_UNIT", peer.subject.unit}}});
}

}  // namespace

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

GrpcService::Reactor* GrpcService::SetLogLevel(Context* context, const v1::SetLogLevelRequest* request,
                                               v1::SetLogLevelResponse* response) {
  return Look(context, [&](SessionId viewer) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const LogLevel level, ParseLogLevel(request->level()));
    P2PD_ASSIGN_OR_RETURN(const SessionView session, broker_.GetSession(viewer, viewer));
    const std::string what = absl::StrCat("log level ", request->level());
    P2PD_RETURN_IF_ERROR(broker_.CheckAdminOrRoot(session.peer, what));
    LogCall(session, what);
    p2pd::SetLogLevel(level);
    response->set_level(request->level());
    if (options_.on_log_level != nullptr) options_.on_log_level();
    return absl::OkStatus();
  });
}

}  // namespace p2pd
