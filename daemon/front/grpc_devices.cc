#include "daemon/base/errors.h"
#include "daemon/front/from_proto.h"
#include "daemon/front/grpc_service.h"
#include "daemon/front/resource_name.h"
#include "daemon/front/unary_call.h"

namespace p2pd {

GrpcService::Reactor* GrpcService::OpenDevice(Context* context, const v1::OpenDeviceRequest* request,
                                              v1::Device* response) {
  return Change(context, request->request_id(), [&](SessionId session, Reactor* reactor) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const PciAddress device, ParseDeviceName(request->name()));
    broker_.OpenDevice(session, request->request_id(), device, Reply<DeviceView, v1::Device>(reactor, response));
    return absl::OkStatus();
  });
}

GrpcService::Reactor* GrpcService::CloseDevice(Context* context, const v1::CloseDeviceRequest* request,
                                               v1::Device* response) {
  return Change(context, request->request_id(), [&](SessionId session, Reactor* reactor) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const PciAddress device, ParseDeviceName(request->name()));
    broker_.CloseDevice(session, request->request_id(), device, Reply<DeviceView, v1::Device>(reactor, response));
    return absl::OkStatus();
  });
}

GrpcService::Reactor* GrpcService::DeviceReady(Context* context, const v1::DeviceReadyRequest* request,
                                               v1::Device* response) {
  return Change(context, request->request_id(), [&](SessionId session, Reactor* reactor) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const PciAddress device, ParseDeviceName(request->name()));
    broker_.DeviceReady(session, request->request_id(), device, request->generation(),
                        Reply<DeviceView, v1::Device>(reactor, response));
    return absl::OkStatus();
  });
}

GrpcService::Reactor* GrpcService::ResetDevice(Context* context, const v1::ResetDeviceRequest* request,
                                               v1::Operation* response) {
  return Change(context, request->request_id(), [&](SessionId session, Reactor* reactor) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const PciAddress device, ParseDeviceName(request->name()));
    P2PD_ASSIGN_OR_RETURN(const ResetScope scope, ScopeFromProto(request->scope()));
    broker_.ResetDevice(session, request->request_id(), ResetArgs(device, scope),
                        Reply<OperationView, v1::Operation>(reactor, response));
    return absl::OkStatus();
  });
}

GrpcService::Reactor* GrpcService::RecoverDevice(Context* context, const v1::RecoverDeviceRequest* request,
                                                 v1::Operation* response) {
  return Change(context, request->request_id(), [&](SessionId session, Reactor* reactor) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const PciAddress device, ParseDeviceName(request->name()));
    broker_.RecoverDevice(session, request->request_id(), device,
                          Reply<OperationView, v1::Operation>(reactor, response));
    return absl::OkStatus();
  });
}

}  // namespace p2pd
