#include <unistd.h>

#include "daemon/base/errors.h"
#include "daemon/front/grpc_service.h"
#include "daemon/front/resource_name.h"
#include "daemon/front/to_proto.h"

namespace p2pd {
namespace {

template <typename View, typename Message>
absl::Status FillList(const std::vector<View>& views, google::protobuf::RepeatedPtrField<Message>* list) {
  list->Reserve(static_cast<int>(views.size()));
  for (const View& view : views) *list->Add() = ToProto(view);
  return absl::OkStatus();
}

template <typename View, typename Message>
absl::Status FillOne(const absl::StatusOr<View>& view, Message* message) {
  if (view.ok()) *message = ToProto(*view);
  return view.status();
}

}  // namespace

GrpcService::Reactor* GrpcService::GetStatus(Context* context, const v1::GetStatusRequest*, v1::Status* response) {
  return Look(context, [&](SessionId) {
    *response = ToProto(broker_.GetStatus());
    response->set_version(options_.version);
    response->set_kernel(options_.kernel);
    response->set_page_size(static_cast<uint64_t>(sysconf(_SC_PAGESIZE)));
    return absl::OkStatus();
  });
}

GrpcService::Reactor* GrpcService::ListDevices(Context* context, const v1::ListDevicesRequest*,
                                               v1::ListDevicesResponse* response) {
  return Look(context, [&](SessionId) { return FillList(broker_.ListDevices(), response->mutable_devices()); });
}

GrpcService::Reactor* GrpcService::GetDevice(Context* context, const v1::GetDeviceRequest* request,
                                             v1::Device* response) {
  return Look(context, [&](SessionId) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const PciAddress device, ParseDeviceName(request->name()));
    return FillOne(broker_.GetDevice(device), response);
  });
}

GrpcService::Reactor* GrpcService::ListSessions(Context* context, const v1::ListSessionsRequest*,
                                                v1::ListSessionsResponse* response) {
  return Look(context,
              [&](SessionId viewer) { return FillList(broker_.ListSessions(viewer), response->mutable_sessions()); });
}

GrpcService::Reactor* GrpcService::ListExports(Context* context, const v1::ListExportsRequest*,
                                               v1::ListExportsResponse* response) {
  return Look(context,
              [&](SessionId viewer) { return FillList(broker_.ListExports(viewer), response->mutable_exports()); });
}

GrpcService::Reactor* GrpcService::GetExport(Context* context, const v1::GetExportRequest* request,
                                             v1::Export* response) {
  return Look(context, [&](SessionId viewer) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const ExportId id, ParseExportName(request->name()));
    return FillOne(broker_.GetExport(viewer, id), response);
  });
}

GrpcService::Reactor* GrpcService::ListAddressSpaces(Context* context, const v1::ListAddressSpacesRequest*,
                                                     v1::ListAddressSpacesResponse* response) {
  return Look(context, [&](SessionId viewer) {
    return FillList(broker_.ListAddressSpaces(viewer), response->mutable_address_spaces());
  });
}

GrpcService::Reactor* GrpcService::GetAddressSpace(Context* context, const v1::GetAddressSpaceRequest* request,
                                                   v1::AddressSpace* response) {
  return Look(context, [&](SessionId viewer) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const AddressSpaceId id, ParseAddressSpaceName(request->name()));
    return FillOne(broker_.GetAddressSpace(viewer, id), response);
  });
}

GrpcService::Reactor* GrpcService::ListMappings(Context* context, const v1::ListMappingsRequest*,
                                                v1::ListMappingsResponse* response) {
  return Look(context,
              [&](SessionId viewer) { return FillList(broker_.ListMappings(viewer), response->mutable_mappings()); });
}

GrpcService::Reactor* GrpcService::GetMapping(Context* context, const v1::GetMappingRequest* request,
                                              v1::Mapping* response) {
  return Look(context, [&](SessionId viewer) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const MappingId id, ParseMappingName(request->name()));
    return FillOne(broker_.GetMapping(viewer, id), response);
  });
}

GrpcService::Reactor* GrpcService::ListOperations(Context* context, const v1::ListOperationsRequest*,
                                                  v1::ListOperationsResponse* response) {
  return Look(context, [&](SessionId viewer) {
    return FillList(broker_.ListOperations(viewer), response->mutable_operations());
  });
}

GrpcService::Reactor* GrpcService::GetOperation(Context* context, const v1::GetOperationRequest* request,
                                                v1::Operation* response) {
  return Look(context, [&](SessionId viewer) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const OperationId id, ParseOperationName(request->name()));
    return FillOne(broker_.GetOperation(viewer, id), response);
  });
}

}  // namespace p2pd
