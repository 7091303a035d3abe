// The calls of a session that only ask.
#include <chrono>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "client/connection.h"
#include "client/session.h"
#include "daemon/base/errors.h"

namespace p2p {
namespace {

using ::p2p::internal::Connection;
using Stub = v1::Broker::Stub;

template <typename Request, typename Response>
absl::StatusOr<Response> Get(Connection& connection, absl::string_view call,
                             Connection::Method<Request, Response> method, absl::string_view name) {
  Request request;
  request.set_name(std::string(name));
  return connection.Call(call, method, request, connection.NewDeadline());
}

// All pages of a list, within one deadline. A token that comes again would go round for ever.
template <typename Request, typename Response>
absl::Status EachPage(Connection& connection, absl::string_view call, Connection::Method<Request, Response> method,
                      Request request, absl::FunctionRef<void(Response&)> take) {
  const absl::Time deadline = connection.NewDeadline();
  std::set<std::string> seen;
  do {
    P2PD_ASSIGN_OR_RETURN(Response page, connection.Call(call, method, request, deadline));
    take(page);
    request.set_page_token(page.next_page_token());
    if (!seen.insert(request.page_token()).second) {
      return p2pd::MakeError(absl::StatusCode::kInternal, {.step = std::string(call), .hint = "do the versions fit?"},
                             "p2pd sent the same page token twice");
    }
  } while (!request.page_token().empty());
  return absl::OkStatus();
}

template <typename Request, typename Response, typename Item>
absl::StatusOr<std::vector<Item>> ListAll(Connection& connection, absl::string_view call,
                                          Connection::Method<Request, Response> method,
                                          google::protobuf::RepeatedPtrField<Item>* (Response::*items)()) {
  std::vector<Item> all;
  P2PD_RETURN_IF_ERROR((EachPage<Request, Response>(connection, call, method, {}, [&](Response& page) {
    for (Item& item : *(page.*items)()) all.push_back(std::move(item));
  })));
  return all;
}

}  // namespace

absl::StatusOr<v1::ExplainPolicyResponse> Session::ExplainPolicy(const v1::ExplainPolicyRequest& request) {
  return connection_->Call("ExplainPolicy", &Stub::ExplainPolicy, request, connection_->NewDeadline());
}

absl::StatusOr<v1::Status> Session::GetStatus() {
  return connection_->Call("GetStatus", &Stub::GetStatus, {}, connection_->NewDeadline());
}

absl::StatusOr<absl::Duration> Session::Ping() {
  const auto start = std::chrono::steady_clock::now();
  P2PD_RETURN_IF_ERROR(connection_->Call("Ping", &Stub::Ping, {}, connection_->NewDeadline()).status());
  return absl::FromChrono(std::chrono::steady_clock::now() - start);
}

absl::StatusOr<std::vector<v1::Device>> Session::ListDevices() {
  P2PD_ASSIGN_OR_RETURN(const auto reply,
                        connection_->Call("ListDevices", &Stub::ListDevices, {}, connection_->NewDeadline()));
  return std::vector<v1::Device>(reply.devices().begin(), reply.devices().end());
}

absl::StatusOr<v1::Topology> Session::GetTopology(absl::string_view exporter, absl::string_view importer) {
  v1::GetTopologyRequest request;
  request.set_exporter(std::string(exporter));
  request.set_importer(std::string(importer));
  v1::Topology whole;
  P2PD_RETURN_IF_ERROR((EachPage<v1::GetTopologyRequest, v1::Topology>(
      *connection_, "GetTopology", &Stub::GetTopology, request, [&](v1::Topology& page) { whole.MergeFrom(page); })));
  whole.clear_next_page_token();
  return whole;
}

absl::StatusOr<std::vector<v1::Session>> Session::ListSessions() {
  return ListAll(*connection_, "ListSessions", &Stub::ListSessions, &v1::ListSessionsResponse::mutable_sessions);
}

absl::StatusOr<std::vector<v1::Export>> Session::ListExports() {
  return ListAll(*connection_, "ListExports", &Stub::ListExports, &v1::ListExportsResponse::mutable_exports);
}

absl::StatusOr<std::vector<v1::Offer>> Session::ListOffers() {
  return ListAll(*connection_, "ListOffers", &Stub::ListOffers, &v1::ListOffersResponse::mutable_offers);
}

absl::StatusOr<std::vector<v1::AddressSpace>> Session::ListAddressSpaces() {
  return ListAll(*connection_, "ListAddressSpaces", &Stub::ListAddressSpaces,
                 &v1::ListAddressSpacesResponse::mutable_address_spaces);
}

absl::StatusOr<std::vector<v1::Mapping>> Session::ListMappings() {
  return ListAll(*connection_, "ListMappings", &Stub::ListMappings, &v1::ListMappingsResponse::mutable_mappings);
}

absl::StatusOr<std::vector<v1::Operation>> Session::ListOperations() {
  return ListAll(*connection_, "ListOperations", &Stub::ListOperations,
                 &v1::ListOperationsResponse::mutable_operations);
}

absl::StatusOr<v1::Device> Session::GetDevice(absl::string_view name) {
  return Get(*connection_, "GetDevice", &Stub::GetDevice, name);
}

absl::StatusOr<v1::Session> Session::GetSession(absl::string_view name) {
  return Get(*connection_, "GetSession", &Stub::GetSession, name);
}

absl::StatusOr<v1::Export> Session::GetExport(absl::string_view name) {
  return Get(*connection_, "GetExport", &Stub::GetExport, name);
}

absl::StatusOr<v1::AddressSpace> Session::GetAddressSpace(absl::string_view name) {
  return Get(*connection_, "GetAddressSpace", &Stub::GetAddressSpace, name);
}

absl::StatusOr<v1::Mapping> Session::GetMapping(absl::string_view name) {
  return Get(*connection_, "GetMapping", &Stub::GetMapping, name);
}

absl::StatusOr<v1::Operation> Session::GetOperation(absl::string_view name) {
  return Get(*connection_, "GetOperation", &Stub::GetOperation, name);
}

std::unique_ptr<EventStream> Session::Watch() { return std::unique_ptr<EventStream>(new EventStream(connection_)); }

}  // namespace p2p
