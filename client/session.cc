#include "client/session.h"

#include <fcntl.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/connection.h"
#include "daemon/base/errors.h"
#include "daemon/base/unique_fd.h"

namespace p2p {
namespace {

using ::p2p::internal::Connection;
using ::p2p::internal::FdChannel;
using Stub = v1::Broker::Stub;

template <typename Request>
Request Named(absl::string_view name) {
  Request request;
  request.set_name(std::string(name));
  return request;
}

template <typename Repeated>
auto ToVector(const Repeated& repeated) {
  return std::vector<typename Repeated::value_type>(repeated.begin(), repeated.end());
}

template <typename Request>
void Place(const MapOptions& options, Request& request) {
  request.set_offset(options.offset);
  request.set_length(options.length);
  request.set_access(options.access);
  request.set_alignment(options.alignment);
  if (options.iova.has_value()) {
    request.set_iova(*options.iova);
  } else if (options.iova_max.has_value()) {
    request.set_iova_max(*options.iova_max);
  }
}

FdChannel::Handlers MakeHandlers(SessionOptions& options, const std::weak_ptr<FdChannel>& channel) {
  FdChannel::Handlers handlers = {.on_resumed = std::move(options.on_resumed), .on_ended = std::move(options.on_ended)};
  if (!options.on_quiesce) return handlers;
  handlers.on_quiesce = [on_quiesce = std::move(options.on_quiesce), channel](v1::QuiesceRequested request) {
    std::string operation = request.operation();
    on_quiesce(QuiesceRequest(std::move(request), [channel, operation = std::move(operation)] {
      const auto alive = channel.lock();
      return alive != nullptr ? alive->AckQuiesce(operation) : absl::UnavailableError("the session was closed");
    }));
  };
  return handlers;
}

// Refuses here what p2pd would refuse, in words of what to do about it.
absl::Status CheckSeals(int memfd) {
  const int seals = fcntl(memfd, F_GET_SEALS);
  p2pd::ErrorInfo info = {.reason = p2pd::Reason::kMemoryUnsuitable,
                          .step = "OfferMemory",
                          .object = absl::StrCat("fd ", memfd),
                          .error = seals < 0 ? errno : 0};
  if (seals < 0) {
    info.hint = "make it with memfd_create() and MFD_ALLOW_SEALING, or use SealedMemory";
    return p2pd::MakeError(absl::StatusCode::kInvalidArgument, info, "not a memfd");
  }
  if ((seals & F_SEAL_SHRINK) != 0) return absl::OkStatus();
  info.hint = "add F_SEAL_SHRINK, or use SealedMemory";
  return p2pd::MakeError(absl::StatusCode::kFailedPrecondition, info, "the memfd can shrink under a device's DMA");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Session>> Session::Connect(Options options) {
  P2PD_ASSIGN_OR_RETURN(std::shared_ptr<Connection> connection,
                        Connection::Open({.fd_socket = options.fd_socket,
                                          .grpc_socket = options.grpc_socket,
                                          .client_name = options.client_name,
                                          .connect_timeout = options.connect_timeout,
                                          .call_timeout = options.call_timeout}));
  FdChannel& channel = connection->fd_channel();
  channel.Start(MakeHandlers(options, channel.weak_from_this()));
  return std::unique_ptr<Session>(new Session(std::move(connection)));
}

Session::Session(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}
Session::~Session() { connection_->Close(); }

const std::string& Session::name() const { return connection_->fd_channel().welcome().session(); }
const std::string& Session::server_version() const { return connection_->fd_channel().welcome().version(); }
absl::Status Session::ended() const { return connection_->fd_channel().ended(); }

absl::StatusOr<v1::Status> Session::GetStatus() {
  return connection_->Call("GetStatus", &Stub::GetStatus, {}, connection_->NewDeadline());
}

absl::StatusOr<std::vector<v1::Device>> Session::ListDevices() {
  P2PD_ASSIGN_OR_RETURN(const auto reply,
                        connection_->Call("ListDevices", &Stub::ListDevices, {}, connection_->NewDeadline()));
  return ToVector(reply.devices());
}

absl::StatusOr<v1::Device> Session::GetDevice(absl::string_view name) {
  return connection_->Call("GetDevice", &Stub::GetDevice, Named<v1::GetDeviceRequest>(name),
                           connection_->NewDeadline());
}

absl::StatusOr<std::vector<v1::Session>> Session::ListSessions() {
  P2PD_ASSIGN_OR_RETURN(const auto reply,
                        connection_->Call("ListSessions", &Stub::ListSessions, {}, connection_->NewDeadline()));
  return ToVector(reply.sessions());
}

absl::StatusOr<std::vector<v1::Export>> Session::ListExports() {
  P2PD_ASSIGN_OR_RETURN(const auto reply,
                        connection_->Call("ListExports", &Stub::ListExports, {}, connection_->NewDeadline()));
  return ToVector(reply.exports());
}

absl::StatusOr<v1::Export> Session::GetExport(absl::string_view name) {
  return connection_->Call("GetExport", &Stub::GetExport, Named<v1::GetExportRequest>(name),
                           connection_->NewDeadline());
}

absl::StatusOr<std::vector<v1::AddressSpace>> Session::ListAddressSpaces() {
  P2PD_ASSIGN_OR_RETURN(const auto reply, connection_->Call("ListAddressSpaces", &Stub::ListAddressSpaces, {},
                                                            connection_->NewDeadline()));
  return ToVector(reply.address_spaces());
}

absl::StatusOr<v1::AddressSpace> Session::GetAddressSpace(absl::string_view name) {
  return connection_->Call("GetAddressSpace", &Stub::GetAddressSpace, Named<v1::GetAddressSpaceRequest>(name),
                           connection_->NewDeadline());
}

absl::StatusOr<std::vector<v1::Mapping>> Session::ListMappings() {
  P2PD_ASSIGN_OR_RETURN(const auto reply,
                        connection_->Call("ListMappings", &Stub::ListMappings, {}, connection_->NewDeadline()));
  return ToVector(reply.mappings());
}

absl::StatusOr<v1::Mapping> Session::GetMapping(absl::string_view name) {
  return connection_->Call("GetMapping", &Stub::GetMapping, Named<v1::GetMappingRequest>(name),
                           connection_->NewDeadline());
}

absl::StatusOr<std::vector<v1::Operation>> Session::ListOperations() {
  P2PD_ASSIGN_OR_RETURN(const auto reply,
                        connection_->Call("ListOperations", &Stub::ListOperations, {}, connection_->NewDeadline()));
  return ToVector(reply.operations());
}

absl::StatusOr<v1::Operation> Session::GetOperation(absl::string_view name) {
  return connection_->Call("GetOperation", &Stub::GetOperation, Named<v1::GetOperationRequest>(name),
                           connection_->NewDeadline());
}

std::unique_ptr<EventStream> Session::Watch() { return std::unique_ptr<EventStream>(new EventStream(connection_)); }

absl::StatusOr<Device> Session::OpenDevice(absl::string_view name) {
  auto request = Named<v1::OpenDeviceRequest>(name);
  request.set_request_id(connection_->NextRequestId());
  const absl::Time deadline = connection_->NewDeadline();
  FdChannel& channel = connection_->fd_channel();
  channel.ExpectGrant(request.request_id());
  absl::StatusOr<v1::Device> info = connection_->Call("OpenDevice", &Stub::OpenDevice, request, deadline);
  if (!info.ok()) {
    channel.ForgetGrant(request.request_id());
    return info.status();
  }
  absl::StatusOr<p2pd::UniqueFd> fd = channel.TakeGrant(request.request_id(), deadline);
  // Without the fd, too, this session is the driver: the object gives that back.
  Device device(connection_, fd.ok() ? fd->Release() : -1, *std::move(info));
  if (!fd.ok()) return fd.status();
  return device;
}

absl::StatusOr<v1::Operation> Session::ResetDevice(absl::string_view name) {
  auto request = Named<v1::ResetDeviceRequest>(name);
  request.set_request_id(connection_->NextRequestId());
  return connection_->Call("ResetDevice", &Stub::ResetDevice, request, connection_->NewDeadline());
}

absl::StatusOr<Export> Session::CreateExport(const WindowOptions& window) {
  v1::CreateExportRequest request;
  request.mutable_window()->set_device(window.device);
  request.mutable_window()->set_bar(window.bar);
  request.mutable_window()->set_offset(window.offset);
  request.mutable_window()->set_length(window.length);
  request.set_request_id(connection_->NextRequestId());
  P2PD_ASSIGN_OR_RETURN(auto info,
                        connection_->Call("CreateExport", &Stub::CreateExport, request, connection_->NewDeadline()));
  return Export(connection_, std::move(info));
}

absl::StatusOr<AddressSpace> Session::CreateAddressSpace(const std::vector<std::string>& devices) {
  v1::CreateAddressSpaceRequest request;
  for (const std::string& device : devices) request.add_devices(device);
  request.set_request_id(connection_->NextRequestId());
  P2PD_ASSIGN_OR_RETURN(auto info, connection_->Call("CreateAddressSpace", &Stub::CreateAddressSpace, request,
                                                     connection_->NewDeadline()));
  return AddressSpace(connection_, std::move(info));
}

absl::StatusOr<Mapping> Session::Map(const Export& source, const AddressSpace& space, const MapOptions& options) {
  v1::MapRequest request;
  request.set_export_(source.name());
  request.set_address_space(space.name());
  Place(options, request);
  request.set_request_id(connection_->NextRequestId());
  P2PD_ASSIGN_OR_RETURN(auto info, connection_->Call("Map", &Stub::Map, request, connection_->NewDeadline()));
  return Mapping(connection_, std::move(info));
}

absl::StatusOr<std::string> Session::OfferMemory(int memfd) {
  P2PD_RETURN_IF_ERROR(ended());
  P2PD_RETURN_IF_ERROR(CheckSeals(memfd));
  return connection_->OfferMemory(p2pd::FdRef(memfd));
}

absl::StatusOr<Mapping> Session::MapMemory(absl::string_view offered, const AddressSpace& space,
                                           const MapOptions& options) {
  v1::MapMemoryRequest request;
  request.set_memory(std::string(offered));
  request.set_address_space(space.name());
  Place(options, request);
  request.set_request_id(connection_->NextRequestId());
  P2PD_ASSIGN_OR_RETURN(auto info,
                        connection_->Call("MapMemory", &Stub::MapMemory, request, connection_->NewDeadline()));
  return Mapping(connection_, std::move(info));
}

absl::StatusOr<Mapping> Session::MapMemory(const SealedMemory& memory, const AddressSpace& space,
                                           const MapOptions& options) {
  P2PD_RETURN_IF_ERROR(ended());
  P2PD_ASSIGN_OR_RETURN(const std::string name, connection_->OfferMemoryOnce(memory.id(), p2pd::FdRef(memory.fd())));
  return MapMemory(name, space, options);
}

}  // namespace p2p
