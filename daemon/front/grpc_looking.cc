#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/front/from_proto.h"
#include "daemon/front/grpc_service.h"
#include "daemon/front/resource_name.h"
#include "daemon/front/to_proto.h"
#include "daemon/front/topology_to_proto.h"
#include "daemon/service/log.h"

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

// One page of a list, and where the next begins.
template <typename View, typename Message>
absl::Status FillPage(const std::vector<View>& views, const Page& page,
                      google::protobuf::RepeatedPtrField<Message>* list, std::string* next_page_token) {
  if (views.size() == page.limit) *next_page_token = absl::StrCat(views.back().id.value());
  return FillList(views, list);
}

}  // namespace

GrpcService::Reactor* GrpcService::Ping(Context* context, const v1::PingRequest*, v1::PingResponse*) {
  Reactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

StatusView GrpcService::StatusFor(SessionId viewer) const {
  StatusView status = broker_.GetStatus(viewer);
  if (options_.capabilities != nullptr) {
    for (CapabilityView& capability : options_.capabilities()) status.capabilities.push_back(std::move(capability));
  }
  const auto session = broker_.GetSession(viewer, viewer);
  if (!session.ok() || options_.usage == nullptr) return status;
  const bool observer = !status.usage.empty() && status.usage.front().used_in_total.has_value();
  for (UsageView& usage : options_.usage(session->peer.subject.uid)) {
    if (!observer) usage.used_in_total.reset();
    status.usage.push_back(std::move(usage));
  }
  return status;
}

GrpcService::Reactor* GrpcService::GetStatus(Context* context, const v1::GetStatusRequest*, v1::Status* response) {
  return Look(context, [&](SessionId viewer) {
    *response = ToProto(StatusFor(viewer));
    response->set_version(options_.version);
    response->set_kernel(options_.kernel);
    response->set_log_level(std::string(LogLevelName(GetLogLevel())));
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

GrpcService::Reactor* GrpcService::GetTopology(Context* context, const v1::GetTopologyRequest* request,
                                               v1::Topology* response) {
  return Look(context, [&](SessionId) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const TopologyQuery query, FromProto(*request));
    return FillOne(broker_.GetTopology(query), response);
  });
}

GrpcService::Reactor* GrpcService::ListSessions(Context* context, const v1::ListSessionsRequest* request,
                                                v1::ListSessionsResponse* response) {
  return Look(context, [&](SessionId viewer) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const Page page, PageFromProto(request->page_size(), request->page_token()));
    return FillPage(broker_.ListSessions(viewer, page), page, response->mutable_sessions(),
                    response->mutable_next_page_token());
  });
}

GrpcService::Reactor* GrpcService::GetSession(Context* context, const v1::GetSessionRequest* request,
                                              v1::Session* response) {
  return Look(context, [&](SessionId viewer) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const SessionId id, ParseSessionName(request->name()));
    return FillOne(broker_.GetSession(viewer, id), response);
  });
}

GrpcService::Reactor* GrpcService::ListExports(Context* context, const v1::ListExportsRequest* request,
                                               v1::ListExportsResponse* response) {
  return Look(context, [&](SessionId viewer) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const Page page, PageFromProto(request->page_size(), request->page_token()));
    return FillPage(broker_.ListExports(viewer, page), page, response->mutable_exports(),
                    response->mutable_next_page_token());
  });
}

GrpcService::Reactor* GrpcService::GetExport(Context* context, const v1::GetExportRequest* request,
                                             v1::Export* response) {
  return Look(context, [&](SessionId viewer) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const ExportId id, ParseExportName(request->name()));
    return FillOne(broker_.GetExport(viewer, id), response);
  });
}

GrpcService::Reactor* GrpcService::ListAddressSpaces(Context* context, const v1::ListAddressSpacesRequest* request,
                                                     v1::ListAddressSpacesResponse* response) {
  return Look(context, [&](SessionId viewer) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const Page page, PageFromProto(request->page_size(), request->page_token()));
    return FillPage(broker_.ListAddressSpaces(viewer, page), page, response->mutable_address_spaces(),
                    response->mutable_next_page_token());
  });
}

GrpcService::Reactor* GrpcService::GetAddressSpace(Context* context, const v1::GetAddressSpaceRequest* request,
                                                   v1::AddressSpace* response) {
  return Look(context, [&](SessionId viewer) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const AddressSpaceId id, ParseAddressSpaceName(request->name()));
    return FillOne(broker_.GetAddressSpace(viewer, id), response);
  });
}

GrpcService::Reactor* GrpcService::ListMappings(Context* context, const v1::ListMappingsRequest* request,
                                                v1::ListMappingsResponse* response) {
  return Look(context, [&](SessionId viewer) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const Page page, PageFromProto(request->page_size(), request->page_token()));
    return FillPage(broker_.ListMappings(viewer, page), page, response->mutable_mappings(),
                    response->mutable_next_page_token());
  });
}

GrpcService::Reactor* GrpcService::GetMapping(Context* context, const v1::GetMappingRequest* request,
                                              v1::Mapping* response) {
  return Look(context, [&](SessionId viewer) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const MappingId id, ParseMappingName(request->name()));
    return FillOne(broker_.GetMapping(viewer, id), response);
  });
}

GrpcService::Reactor* GrpcService::ListOperations(Context* context, const v1::ListOperationsRequest* request,
                                                  v1::ListOperationsResponse* response) {
  return Look(context, [&](SessionId viewer) -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const Page page, PageFromProto(request->page_size(), request->page_token()));
    return FillPage(broker_.ListOperations(viewer, page), page, response->mutable_operations(),
                    response->mutable_next_page_token());
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
