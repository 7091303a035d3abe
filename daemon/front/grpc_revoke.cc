#include "daemon/base/errors.h"
#include "daemon/front/from_proto.h"
#include "daemon/front/grpc_service.h"
#include "daemon/front/resource_name.h"
#include "daemon/front/unary_call.h"

namespace p2pd {

GrpcService::Reactor* GrpcService::RevokeSession(Context* context, const v1::RevokeSessionRequest* request,
                                                 v1::Operation* response) {
  return Change(context, request->request_id(), [&](SessionId session, Reactor* reactor) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const SessionId ending, ParseSessionName(request->name()));
    P2PD_RETURN_IF_ERROR(CheckReason(request->reason()));
    broker_.RevokeSession(session, request->request_id(), ending, request->reason(),
                          Reply<OperationView, v1::Operation>(reactor, response));
    return absl::OkStatus();
  });
}

GrpcService::Reactor* GrpcService::RevokeExport(Context* context, const v1::RevokeExportRequest* request,
                                                v1::Operation* response) {
  return Change(context, request->request_id(), [&](SessionId session, Reactor* reactor) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const ExportId id, ParseExportName(request->name()));
    P2PD_RETURN_IF_ERROR(CheckReason(request->reason()));
    broker_.RevokeExport(session, request->request_id(), id, request->reason(),
                         Reply<OperationView, v1::Operation>(reactor, response));
    return absl::OkStatus();
  });
}

}  // namespace p2pd
