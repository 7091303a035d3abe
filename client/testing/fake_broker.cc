#include "client/testing/fake_broker.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace p2p::testing {
namespace {

using ::p2pd::MutexLock;

// A page of what a list method answers, in the order of the objects' numbers. The token is the last name.
template <typename Map, typename Request, typename Response>
grpc::Status List(const FakeState& state, const Map& map, const Request& request,
                  google::protobuf::RepeatedPtrField<typename Map::mapped_type>* repeated, Response* response) {
  const auto by_number = [](const std::string& a, const std::string& b) {
    return std::make_pair(a.size(), a) < std::make_pair(b.size(), b);
  };
  std::map<std::string, typename Map::mapped_type, decltype(by_number)> rest(map.begin(), map.end(), by_number);
  rest.erase(rest.begin(), rest.upper_bound(request.page_token()));
  const int limit =
      static_cast<int>(request.page_size() == 0 ? state.page_size : std::min(request.page_size(), state.page_size));
  for (const auto& [name, value] : rest) {
    if (repeated->size() < limit) *repeated->Add() = value;
  }
  if (static_cast<int>(rest.size()) > limit) response->set_next_page_token(repeated->rbegin()->name());
  if (!state.stuck_page_token.empty()) response->set_next_page_token(state.stuck_page_token);
  return grpc::Status::OK;
}

grpc::Status ListOfDevices(const FakeState& state, v1::ListDevicesResponse* response) {
  for (const auto& [name, device] : state.devices) *response->add_devices() = device;
  return grpc::Status::OK;
}

// A page of the paths; the token says how many came before.
// A policy under which nothing that is mapped may stay.
grpc::Status Reload(const FakeState& state, const v1::ReloadPolicyRequest& request,
                    v1::ReloadPolicyResponse* response) {
  response->set_policy_generation(request.dry_run() ? 1 : 2);
  response->set_policy_rules(3);
  for (const auto& [name, mapping] : state.mappings) {
    auto& fallen = *response->add_fallen();
    fallen.set_object(name);
    fallen.set_session(mapping.session());
    fallen.set_reason("rule \"none\" (a:1) denies it");
  }
  response->set_fallen_count(state.mappings.size());
  return grpc::Status::OK;
}

grpc::Status OneOffer(const FakeState& /*state*/, v1::ListOffersResponse* response) {
  v1::Offer& offer = *response->add_offers();
  offer.set_name("offers/4");
  offer.set_session("sessions/1");
  offer.mutable_window()->set_device("devices/0000:01:00.0");
  offer.mutable_window()->set_bar(2);
  offer.mutable_window()->set_length(4096);
  offer.mutable_to()->set_uid(2001);
  offer.mutable_to()->set_unit("copy.service");
  offer.set_access(v1::READ);
  return grpc::Status::OK;
}

// Root may, nobody else.
grpc::Status Explain(const FakeState& /*state*/, const v1::ExplainPolicyRequest& request,
                     v1::ExplainPolicyResponse* response) {
  response->set_allowed(request.has_subject() && request.subject().uid() == 0);
  response->set_reason(response->allowed() ? "rule \"root\" (a:1) allows it" : "no rule allows it");
  auto& fact = *response->add_facts();
  fact.set_name("action");
  fact.set_value(request.action());
  return grpc::Status::OK;
}

grpc::Status TopologyOf(const FakeState& state, const v1::GetTopologyRequest& request, v1::Topology* response) {
  for (const std::string& name : {request.exporter(), request.importer()}) {
    if (!name.empty() && !state.devices.contains(name)) return NotFound("GetTopology", name);
  }
  const size_t before = request.page_token().empty() ? 0 : std::stoul(request.page_token());
  if (before == 0) *response->mutable_nodes() = state.topology.nodes();
  size_t place = 0;
  for (const auto& path : state.topology.paths()) {
    if (!request.exporter().empty() && path.exporter() != request.exporter()) continue;
    if (!request.importer().empty() && path.importer() != request.importer()) continue;
    if (place++ < before) continue;
    if (static_cast<uint32_t>(response->paths_size()) == state.page_size) {
      response->set_next_page_token(std::to_string(before + state.page_size));
      break;
    }
    *response->add_paths() = path;
  }
  return grpc::Status::OK;
}

template <typename Map, typename Response>
grpc::Status Get(const std::string& method, const Map& map, const std::string& name, Response* response) {
  const auto found = map.find(name);
  if (found == map.end()) return NotFound(method, name);
  *response = found->second;
  return grpc::Status::OK;
}

grpc::Status UnknownToken() {
  v1::ErrorDetail detail;
  detail.set_reason(v1::ErrorDetail::SESSION_ENDED);
  detail.set_step("session");
  detail.set_object("token");
  detail.set_hint("connect anew");
  return MakeFailure(grpc::StatusCode::UNAUTHENTICATED, detail, "no such session");
}

}  // namespace

void FakeBroker::WithState(const std::function<void(FakeState&)>& work) {
  MutexLock lock(mutex_);
  work(state_);
  changed_.notify_all();
}

void FakeBroker::Stop() {
  MutexLock lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
}

std::string FakeBroker::SessionOf(grpc::ServerContext* context) {
  const auto& metadata = context->client_metadata();
  const auto token = metadata.find("p2pd-token");
  if (token == metadata.end()) return "";
  MutexLock lock(mutex_);
  return state_.SessionOf(std::string(token->second.data(), token->second.size()));
}

template <typename Response>
void FakeBroker::Grant(const std::string& method, const std::string& session, const std::string& request_id,
                       const Response& response) {
  v1::Grant grant;
  grant.set_request_id(request_id);
  if constexpr (std::is_same_v<Response, v1::Device>) {
    if (response.driver_session() != session || response.state() != v1::Device::AWAITING_DRIVER) return;
    grant.set_kind(v1::Grant::DEVICE);
    grant.set_name(response.name());
  } else if constexpr (std::is_same_v<Response, v1::Export>) {
    if (response.grade() != v1::RAW || method == "RenewExport") return;
    grant.set_kind(v1::Grant::DMA_BUF);
    grant.set_name(response.name());
  } else if constexpr (std::is_same_v<Response, v1::AcquireResponse>) {
    return Grant(method, session, request_id, response.export_());
  } else {
    return;
  }
  if (!request_id.empty()) send_grant_(session, grant);
}

template <typename Response>
grpc::Status FakeBroker::Answer(const std::string& method, grpc::ServerContext* context, const std::string& request_id,
                                Response* response,
                                const std::function<grpc::Status(const std::string& session, FakeState& state)>& work) {
  const std::string session = SessionOf(context);
  const std::optional<std::string> outcome = request_id.empty() ? std::nullopt : calls_.Outcome(session, request_id);
  calls_.Log({.method = method, .request_id = request_id, .repeated = outcome.has_value()});
  if (session.empty()) return UnknownToken();
  if (outcome.has_value()) {
    response->ParseFromString(*outcome);
    return grpc::Status::OK;
  }
  if (auto failure = calls_.TakeFailure(method); failure.has_value()) return *failure;
  grpc::Status status;
  {
    MutexLock lock(mutex_);
    status = work(session, state_);
    changed_.notify_all();
  }
  if (status.ok() && !request_id.empty()) calls_.Remember(session, request_id, response->SerializeAsString());
  if (status.ok()) Grant(method, session, request_id, *response);
  if (const auto hook = calls_.TakeHook(method)) hook();
  if (auto failure = calls_.TakeLateFailure(method); failure.has_value()) return *failure;
  return status;
}

grpc::Status FakeBroker::WatchEvents(grpc::ServerContext* context, const v1::WatchEventsRequest* /*request*/,
                                     grpc::ServerWriter<v1::Event>* writer) {
  calls_.Log({.method = "WatchEvents", .request_id = ""});
  if (SessionOf(context).empty()) return UnknownToken();
  if (auto failure = calls_.TakeFailure("WatchEvents"); failure.has_value()) return *failure;
  std::vector<v1::Event> pending;
  size_t next = 0;
  {
    MutexLock lock(mutex_);
    next = state_.events.size();
    for (const auto& [name, device] : state_.devices) {
      v1::Event& event = pending.emplace_back();
      event.set_type(v1::Event::SNAPSHOT);
      *event.mutable_device() = device;
    }
    for (const auto& [name, entry] : state_.exports) {
      v1::Event& event = pending.emplace_back();
      event.set_type(v1::Event::SNAPSHOT);
      *event.mutable_export_() = entry;
    }
    for (const auto& [name, operation] : state_.operations) {
      v1::Event& event = pending.emplace_back();
      event.set_type(v1::Event::SNAPSHOT);
      *event.mutable_operation() = operation;
    }
    pending.emplace_back().set_type(v1::Event::IN_SYNC);
  }
  while (!context->IsCancelled()) {
    for (const v1::Event& event : pending) writer->Write(event);
    pending.clear();
    MutexLock lock(mutex_);
    if (stopping_) return grpc::Status::OK;
    // gRPC's synchronous API tells nobody of a cancel: look now and then.
    if (next == state_.events.size()) changed_.wait_for(mutex_, std::chrono::milliseconds(20));
    for (; next < state_.events.size(); ++next) pending.push_back(state_.events[next]);
  }
  return grpc::Status::CANCELLED;
}

#define P2P_FAKE_READ(method, Request, Response, work)                                                       \
  grpc::Status FakeBroker::method(grpc::ServerContext* context, [[maybe_unused]] const v1::Request* request, \
                                  v1::Response* response) {                                                  \
    return Answer(#method, context, "", response,                                                            \
                  [&](const std::string& /*session*/, FakeState& state) -> grpc::Status { return work; });   \
  }
P2P_FAKE_READ(ListDevices, ListDevicesRequest, ListDevicesResponse, ListOfDevices(state, response))
P2P_FAKE_READ(GetDevice, GetDeviceRequest, Device, Get("GetDevice", state.devices, request->name(), response))
P2P_FAKE_READ(GetTopology, GetTopologyRequest, Topology, TopologyOf(state, *request, response))
P2P_FAKE_READ(ListOffers, ListOffersRequest, ListOffersResponse, OneOffer(state, response))
P2P_FAKE_READ(ExplainPolicy, ExplainPolicyRequest, ExplainPolicyResponse, Explain(state, *request, response))
P2P_FAKE_READ(ListSessions, ListSessionsRequest, ListSessionsResponse,
              List(state, state.sessions, *request, response->mutable_sessions(), response))
P2P_FAKE_READ(GetSession, GetSessionRequest, Session, Get("GetSession", state.sessions, request->name(), response))
P2P_FAKE_READ(ListExports, ListExportsRequest, ListExportsResponse,
              List(state, state.exports, *request, response->mutable_exports(), response))
P2P_FAKE_READ(GetExport, GetExportRequest, Export, Get("GetExport", state.exports, request->name(), response))
P2P_FAKE_READ(ListAddressSpaces, ListAddressSpacesRequest, ListAddressSpacesResponse,
              List(state, state.address_spaces, *request, response->mutable_address_spaces(), response))
P2P_FAKE_READ(GetAddressSpace, GetAddressSpaceRequest, AddressSpace,
              Get("GetAddressSpace", state.address_spaces, request->name(), response))
P2P_FAKE_READ(ListMappings, ListMappingsRequest, ListMappingsResponse,
              List(state, state.mappings, *request, response->mutable_mappings(), response))
P2P_FAKE_READ(GetMapping, GetMappingRequest, Mapping, Get("GetMapping", state.mappings, request->name(), response))
P2P_FAKE_READ(ListOperations, ListOperationsRequest, ListOperationsResponse,
              List(state, state.operations, *request, response->mutable_operations(), response))
P2P_FAKE_READ(GetOperation, GetOperationRequest, Operation,
              Get("GetOperation", state.operations, request->name(), response))
#undef P2P_FAKE_READ

grpc::Status FakeBroker::GetStatus(grpc::ServerContext* context, const v1::GetStatusRequest* /*request*/,
                                   v1::Status* response) {
  return Answer("GetStatus", context, "", response, [&](const std::string& /*session*/, FakeState& state) {
    response->set_version("0.0.fake");
    response->set_kernel("simulation");
    response->mutable_started()->set_seconds(1767225600);
    response->set_devices(state.devices.size());
    response->set_sessions(state.sessions.size());
    response->set_exports(state.exports.size());
    response->set_address_spaces(state.address_spaces.size());
    response->set_mappings(state.mappings.size());
    for (const auto& [name, mapping] : state.mappings) {
      response->set_mapped_bytes(response->mapped_bytes() + mapping.length());
    }
    response->set_policy_rules(1);
    response->set_dma_buf_export(true);
    response->set_page_size(4096);
    response->set_log_level(state.log_level);
    v1::Capability* capability = response->add_capabilities();
    capability->set_name("VFIO_DEVICE_FEATURE_DMA_BUF");
    capability->set_available(true);
    capability = response->add_capabilities();
    capability->set_name("IOMMU_IOAS_MAP_FILE");
    capability->set_detail("windows cannot be mapped");
    v1::Usage* usage = response->add_usage();
    usage->set_resource("mapped bytes");
    usage->set_used(response->mapped_bytes());
    usage->set_per_user(uint64_t{1} << 30);
    usage->set_used_in_total(response->mapped_bytes());
    usage->set_total(uint64_t{4} << 30);
    return grpc::Status::OK;
  });
}

#define P2P_FAKE_CHANGE(method, Request, Response, work)                                                              \
  grpc::Status FakeBroker::method(grpc::ServerContext* context, const v1::Request* request, v1::Response* response) { \
    return Answer(#method, context, request->request_id(), response,                                                  \
                  [&]([[maybe_unused]] const std::string& session, FakeState& state) { return work; });               \
  }
P2P_FAKE_CHANGE(OpenDevice, OpenDeviceRequest, Device, state.OpenDevice(session, request->name(), response))
P2P_FAKE_CHANGE(CloseDevice, CloseDeviceRequest, Device, state.CloseDevice(session, request->name(), response))
P2P_FAKE_CHANGE(DeviceReady, DeviceReadyRequest, Device, state.DeviceReady(session, *request, response))
P2P_FAKE_CHANGE(ResetDevice, ResetDeviceRequest, Operation, state.ResetDevice(*request, response))
P2P_FAKE_CHANGE(RecoverDevice, RecoverDeviceRequest, Operation, state.RecoverDevice(request->name(), response))
P2P_FAKE_CHANGE(ReloadPolicy, ReloadPolicyRequest, ReloadPolicyResponse, Reload(state, *request, response))
P2P_FAKE_CHANGE(CreateExport, CreateExportRequest, Export, state.CreateExport(session, *request, response))
P2P_FAKE_CHANGE(RenewExport, RenewExportRequest, Export, state.RenewExport(session, *request, response))
P2P_FAKE_CHANGE(DeleteExport, DeleteExportRequest, DeleteExportResponse,
                state.DeleteExport(request->name(), response->mutable_operation()))
P2P_FAKE_CHANGE(CreateAddressSpace, CreateAddressSpaceRequest, AddressSpace,
                state.CreateAddressSpace(session, *request, response))
P2P_FAKE_CHANGE(DeleteAddressSpace, DeleteAddressSpaceRequest, DeleteAddressSpaceResponse,
                state.DeleteAddressSpace(request->name(), response->mutable_operation()))
P2P_FAKE_CHANGE(Map, MapRequest, Mapping, state.Map(session, *request, response))
P2P_FAKE_CHANGE(MapMemory, MapMemoryRequest, Mapping, state.MapMemory(session, *request, response))
P2P_FAKE_CHANGE(Unmap, UnmapRequest, Mapping, state.Unmap(request->name(), response))
P2P_FAKE_CHANGE(RevokeExport, RevokeExportRequest, Operation, state.RevokeExport(request->name(), response))
P2P_FAKE_CHANGE(Acquire, AcquireRequest, AcquireResponse, state.Acquire(session, *request, response))
P2P_FAKE_CHANGE(BatchMap, BatchMapRequest, BatchMapResponse, state.BatchMap(session, *request, response))
P2P_FAKE_CHANGE(BatchUnmap, BatchUnmapRequest, BatchUnmapResponse, state.BatchUnmap(*request, response))
#undef P2P_FAKE_CHANGE

grpc::Status FakeBroker::RevokeSession(grpc::ServerContext* context, const v1::RevokeSessionRequest* request,
                                       v1::Operation* response) {
  const grpc::Status status =
      Answer("RevokeSession", context, request->request_id(), response,
             [&](const std::string&, FakeState& state) { return state.RevokeSession(request->name(), response); });
  if (status.ok()) end_session_(request->name(), request->reason());
  return status;
}

grpc::Status FakeBroker::SetLogLevel(grpc::ServerContext* context, const v1::SetLogLevelRequest* request,
                                     v1::SetLogLevelResponse* response) {
  return Answer("SetLogLevel", context, "", response, [&](const std::string& /*session*/, FakeState& state) {
    state.log_level = request->level();
    response->set_level(state.log_level);
    return grpc::Status::OK;
  });
}

// Needs no token.
grpc::Status FakeBroker::Ping(grpc::ServerContext* /*context*/, const v1::PingRequest* /*request*/,
                              v1::PingResponse* /*response*/) {
  calls_.Log({.method = "Ping", .request_id = ""});
  if (const auto hook = calls_.TakeHook("Ping")) hook();
  return calls_.TakeFailure("Ping").value_or(grpc::Status::OK);
}

}  // namespace p2p::testing
