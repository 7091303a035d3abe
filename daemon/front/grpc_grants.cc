#include <vector>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/front/from_proto.h"
#include "daemon/front/grpc_service.h"
#include "daemon/front/resource_name.h"
#include "daemon/front/unary_call.h"

namespace p2pd {

GrpcService::Reactor* GrpcService::CreateExport(Context* context, const v1::CreateExportRequest* request,
                                                v1::Export* response) {
  return Change(context, request->request_id(), [&](SessionId session, Reactor* reactor) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const Window window, FromProto(request->window()));
    P2PD_ASSIGN_OR_RETURN(const Grade grade, GradeFromProto(request->grade()));
    broker_.CreateExport(session, request->request_id(), window, Terms(grade, TimeToLiveOf(*request)),
                         Reply<ExportView, v1::Export>(reactor, response));
    return absl::OkStatus();
  });
}

GrpcService::Reactor* GrpcService::Acquire(Context* context, const v1::AcquireRequest* request,
                                           v1::AcquireResponse* response) {
  return Change(context, request->request_id(), [&](SessionId session, Reactor* reactor) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const AcquireArgs args, FromProto(*request));
    broker_.Acquire(session, request->request_id(), args, Reply<AcquiredView, v1::AcquireResponse>(reactor, response));
    return absl::OkStatus();
  });
}

GrpcService::Reactor* GrpcService::RenewExport(Context* context, const v1::RenewExportRequest* request,
                                               v1::Export* response) {
  return Change(context, request->request_id(), [&](SessionId session, Reactor* reactor) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const ExportId id, ParseExportName(request->name()));
    broker_.RenewExport(session, request->request_id(), id, TimeToLiveOf(*request),
                        Reply<ExportView, v1::Export>(reactor, response));
    return absl::OkStatus();
  });
}

GrpcService::Reactor* GrpcService::DeleteExport(Context* context, const v1::DeleteExportRequest* request,
                                                v1::DeleteExportResponse* response) {
  return Change(context, request->request_id(), [&](SessionId session, Reactor* reactor) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const ExportId id, ParseExportName(request->name()));
    broker_.DeleteExport(session, request->request_id(), id,
                         Reply<OperationView, v1::DeleteExportResponse>(reactor, response));
    return absl::OkStatus();
  });
}

GrpcService::Reactor* GrpcService::CreateAddressSpace(Context* context, const v1::CreateAddressSpaceRequest* request,
                                                      v1::AddressSpace* response) {
  return Change(context, request->request_id(), [&](SessionId session, Reactor* reactor) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const std::vector<PciAddress> devices, FromProto(*request));
    broker_.CreateAddressSpace(session, request->request_id(), devices,
                               Reply<AddressSpaceView, v1::AddressSpace>(reactor, response));
    return absl::OkStatus();
  });
}

GrpcService::Reactor* GrpcService::DeleteAddressSpace(Context* context, const v1::DeleteAddressSpaceRequest* request,
                                                      v1::DeleteAddressSpaceResponse* response) {
  return Change(context, request->request_id(), [&](SessionId session, Reactor* reactor) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const AddressSpaceId id, ParseAddressSpaceName(request->name()));
    broker_.DeleteAddressSpace(session, request->request_id(), id,
                               Reply<OperationView, v1::DeleteAddressSpaceResponse>(reactor, response));
    return absl::OkStatus();
  });
}

GrpcService::Reactor* GrpcService::Map(Context* context, const v1::MapRequest* request, v1::Mapping* response) {
  return Change(context, request->request_id(), [&](SessionId session, Reactor* reactor) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const MapArgs args, FromProto(*request));
    broker_.Map(session, request->request_id(), args, Reply<MappingView, v1::Mapping>(reactor, response));
    return absl::OkStatus();
  });
}

GrpcService::Reactor* GrpcService::MapMemory(Context* context, const v1::MapMemoryRequest* request,
                                             v1::Mapping* response) {
  return Change(context, request->request_id(), [&](SessionId session, Reactor* reactor) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const MapMemoryArgs args, FromProto(*request));
    broker_.MapMemory(session, request->request_id(), args, Reply<MappingView, v1::Mapping>(reactor, response));
    return absl::OkStatus();
  });
}

GrpcService::Reactor* GrpcService::Unmap(Context* context, const v1::UnmapRequest* request, v1::Mapping* response) {
  return Change(context, request->request_id(), [&](SessionId session, Reactor* reactor) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const MappingId id, ParseMappingName(request->name()));
    broker_.Unmap(session, request->request_id(), id, Reply<MappingView, v1::Mapping>(reactor, response));
    return absl::OkStatus();
  });
}

GrpcService::Reactor* GrpcService::BatchMap(Context* context, const v1::BatchMapRequest* request,
                                            v1::BatchMapResponse* response) {
  return Change(context, request->request_id(), [&](SessionId session, Reactor* reactor) -> absl::Status {
    std::vector<MapArgs> all;
    for (const v1::MapRequest& one : request->requests()) {
      const auto args = FromProto(one);
      if (!args.ok()) return WithPart(args.status(), absl::StrCat("part ", all.size()));
      all.push_back(*args);
    }
    broker_.BatchMap(session, request->request_id(), all,
                     Reply<std::vector<MappingView>, v1::BatchMapResponse>(reactor, response));
    return absl::OkStatus();
  });
}

GrpcService::Reactor* GrpcService::BatchUnmap(Context* context, const v1::BatchUnmapRequest* request,
                                              v1::BatchUnmapResponse* response) {
  return Change(context, request->request_id(), [&](SessionId session, Reactor* reactor) -> absl::Status {
    std::vector<MappingId> ids;
    for (const std::string& name : request->names()) {
      P2PD_ASSIGN_OR_RETURN(const MappingId id, ParseMappingName(name));
      ids.push_back(id);
    }
    broker_.BatchUnmap(session, request->request_id(), ids,
                       Reply<std::vector<MappingView>, v1::BatchUnmapResponse>(reactor, response));
    return absl::OkStatus();
  });
}

}  // namespace p2pd
