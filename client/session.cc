#include "client/session.h"

#include <fcntl.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/connection.h"
#include "client/time_to_live.h"
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

// What MapOptions and Importer have in common.
template <typename Options, typename Request>
void Place(const Options& options, Request& request) {
  request.set_access(options.access);
  request.set_alignment(options.alignment);
  if (options.iova.has_value()) {
    request.set_iova(*options.iova);
  } else if (options.iova_max.has_value()) {
    request.set_iova_max(*options.iova_max);
  }
}

template <typename Request>
void Slice(const MapOptions& options, Request& request) {
  request.set_offset(options.offset);
  request.set_length(options.length);
  Place(options, request);
}

// Of CreateExport and Acquire.
template <typename Request>
Request WindowRequest(const WindowOptions& window, std::string request_id) {
  Request request;
  request.mutable_window()->set_device(window.device);
  request.mutable_window()->set_bar(window.bar);
  request.mutable_window()->set_offset(window.offset);
  request.mutable_window()->set_length(window.length);
  request.set_grade(window.grade);
  internal::SetTimeToLive(window.time_to_live, request);
  request.set_request_id(std::move(request_id));
  return request;
}

// The reply of a call that may grant a dma-buf, with its descriptor; -1 where the window's grade has none.
template <typename Request, typename Response>
absl::StatusOr<Connection::Granted<Response>> CallForWindow(Connection& connection, absl::string_view name,
                                                            Connection::Method<Request, Response> method,
                                                            const Request& request) {
  const absl::Time deadline = connection.NewDeadline();
  if (request.grade() == v1::RAW) return connection.CallForGrant(name, method, request, deadline);
  P2PD_ASSIGN_OR_RETURN(Response reply, connection.Call(name, method, request, deadline));
  return Connection::Granted<Response>{.reply = std::move(reply), .fd = p2pd::UniqueFd()};
}

// What p2pd maps one by one it answers one by one.
absl::Status CheckCount(absl::string_view step, int answered, size_t asked) {
  if (static_cast<size_t>(answered) == asked) return absl::OkStatus();
  return p2pd::MakeError(absl::StatusCode::kInternal, {.step = std::string(step), .hint = "do the versions fit?"},
                         absl::StrCat("p2pd answered ", answered, " mappings where ", asked, " were asked for"));
}

FdChannel::Handlers MakeHandlers(SessionOptions& options, const std::weak_ptr<FdChannel>& channel) {
  FdChannel::Handlers handlers = {.on_resumed = std::move(options.on_resumed),
                                  .on_device_revoked = std::move(options.on_device_revoked),
                                  .on_ended = std::move(options.on_ended)};
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
                                          .call_timeout = options.call_timeout,
                                          .retry = options.retry}));
  FdChannel& channel = connection->fd_channel();
  channel.Start(MakeHandlers(options, channel.weak_from_this()));
  return std::unique_ptr<Session>(new Session(std::move(connection)));
}

Session::Session(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}
Session::~Session() { connection_->Close(); }

const std::string& Session::name() const { return connection_->fd_channel().welcome().session(); }
const std::string& Session::server_version() const { return connection_->fd_channel().welcome().version(); }
absl::Status Session::ended() const { return connection_->fd_channel().ended(); }

absl::StatusOr<Device> Session::OpenDevice(absl::string_view name) {
  auto request = Named<v1::OpenDeviceRequest>(name);
  request.set_request_id(connection_->NextRequestId());
  P2PD_ASSIGN_OR_RETURN(
      auto granted, connection_->CallForGrant("OpenDevice", &Stub::OpenDevice, request, connection_->NewDeadline()));
  // Without the fd, too, this session is the driver: the object gives that back.
  Device device(connection_, granted.fd.ok() ? granted.fd->Release() : -1, std::move(granted.reply));
  if (!granted.fd.ok()) return granted.fd.status();
  return device;
}

absl::StatusOr<v1::Operation> Session::ResetDevice(absl::string_view name, v1::ResetDeviceRequest::Scope scope) {
  auto request = Named<v1::ResetDeviceRequest>(name);
  request.set_scope(scope);
  request.set_request_id(connection_->NextRequestId());
  return connection_->Call("ResetDevice", &Stub::ResetDevice, request, connection_->NewDeadline());
}

absl::StatusOr<v1::Operation> Session::RecoverDevice(absl::string_view name) {
  auto request = Named<v1::RecoverDeviceRequest>(name);
  request.set_request_id(connection_->NextRequestId());
  return connection_->Call("RecoverDevice", &Stub::RecoverDevice, request, connection_->NewDeadline());
}

absl::StatusOr<v1::Operation> Session::RevokeSession(absl::string_view name, absl::string_view reason) {
  auto request = Named<v1::RevokeSessionRequest>(name);
  request.set_reason(std::string(reason));
  request.set_request_id(connection_->NextRequestId());
  return connection_->Call("RevokeSession", &Stub::RevokeSession, request, connection_->NewDeadline());
}

absl::StatusOr<v1::Operation> Session::RevokeExport(absl::string_view name, absl::string_view reason) {
  auto request = Named<v1::RevokeExportRequest>(name);
  request.set_reason(std::string(reason));
  request.set_request_id(connection_->NextRequestId());
  return connection_->Call("RevokeExport", &Stub::RevokeExport, request, connection_->NewDeadline());
}

absl::StatusOr<v1::Offer> Session::OfferWindow(v1::OfferWindowRequest request) {
  request.set_request_id(connection_->NextRequestId());
  return connection_->Call("OfferWindow", &Stub::OfferWindow, request, connection_->NewDeadline());
}

absl::StatusOr<v1::WithdrawOfferResponse> Session::WithdrawOffer(absl::string_view name) {
  auto request = Named<v1::WithdrawOfferRequest>(name);
  request.set_request_id(connection_->NextRequestId());
  return connection_->Call("WithdrawOffer", &Stub::WithdrawOffer, request, connection_->NewDeadline());
}

absl::StatusOr<v1::ReloadPolicyResponse> Session::ReloadPolicy(bool dry_run) {
  v1::ReloadPolicyRequest request;
  request.set_dry_run(dry_run);
  request.set_request_id(connection_->NextRequestId());
  return connection_->Call("ReloadPolicy", &Stub::ReloadPolicy, request, connection_->NewDeadline());
}

absl::Status Session::SetLogLevel(absl::string_view level) {
  v1::SetLogLevelRequest request;
  request.set_level(std::string(level));
  return connection_->Call("SetLogLevel", &Stub::SetLogLevel, request, connection_->NewDeadline()).status();
}

absl::StatusOr<Export> Session::CreateExport(const WindowOptions& window) {
  const auto request = WindowRequest<v1::CreateExportRequest>(window, connection_->NextRequestId());
  P2PD_ASSIGN_OR_RETURN(auto granted, CallForWindow(*connection_, "CreateExport", &Stub::CreateExport, request));
  Export result(connection_, granted.fd.ok() ? granted.fd->Release() : -1, std::move(granted.reply));
  if (!granted.fd.ok()) return granted.fd.status();
  return result;
}

absl::StatusOr<Acquired> Session::Acquire(const WindowOptions& window, const std::vector<Importer>& importers) {
  auto request = WindowRequest<v1::AcquireRequest>(window, connection_->NextRequestId());
  for (const Importer& importer : importers) {
    auto& added = *request.add_importers();
    added.set_address_space(importer.space->name());
    Place(importer, added);
  }
  P2PD_ASSIGN_OR_RETURN(auto granted, CallForWindow(*connection_, "Acquire", &Stub::Acquire, request));
  // Whatever is wrong after this, these objects give it back.
  Acquired acquired = {.window = Export(connection_, granted.fd.ok() ? granted.fd->Release() : -1,
                                        std::move(*granted.reply.mutable_export_())),
                       .mappings = Own(*granted.reply.mutable_mappings())};
  if (!granted.fd.ok()) return granted.fd.status();
  P2PD_RETURN_IF_ERROR(CheckCount("Acquire", granted.reply.mappings_size(), importers.size()));
  return acquired;
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
  Slice(options, request);
  request.set_request_id(connection_->NextRequestId());
  P2PD_ASSIGN_OR_RETURN(auto info, connection_->Call("Map", &Stub::Map, request, connection_->NewDeadline()));
  return Mapping(connection_, std::move(info));
}

std::vector<Mapping> Session::Own(google::protobuf::RepeatedPtrField<v1::Mapping>& infos) {
  std::vector<Mapping> mappings;
  mappings.reserve(infos.size());
  for (v1::Mapping& info : infos) mappings.push_back(Mapping(connection_, std::move(info)));
  return mappings;
}

absl::StatusOr<std::vector<Mapping>> Session::BatchMap(const std::vector<MapItem>& items) {
  v1::BatchMapRequest request;
  for (const MapItem& item : items) {
    v1::MapRequest& added = *request.add_requests();
    added.set_export_(item.source->name());
    added.set_address_space(item.space->name());
    Slice(item.options, added);
  }
  request.set_request_id(connection_->NextRequestId());
  P2PD_ASSIGN_OR_RETURN(auto reply,
                        connection_->Call("BatchMap", &Stub::BatchMap, request, connection_->NewDeadline()));
  std::vector<Mapping> mappings = Own(*reply.mutable_mappings());
  P2PD_RETURN_IF_ERROR(CheckCount("BatchMap", reply.mappings_size(), items.size()));
  return mappings;
}

absl::Status Session::BatchUnmap(std::vector<Mapping> mappings) {
  v1::BatchUnmapRequest request;
  for (const Mapping& mapping : mappings) {
    if (mapping.connection_ != nullptr) request.add_names(mapping.name());
  }
  if (request.names().empty()) return absl::OkStatus();
  request.set_request_id(connection_->NextRequestId());
  absl::Status status =
      connection_->Call("BatchUnmap", &Stub::BatchUnmap, request, connection_->NewDeadline()).status();
  // p2pd refuses all where one is gone already, with its export or its device: as if each were released alone.
  if (absl::IsNotFound(status)) {
    status = absl::OkStatus();
    for (Mapping& mapping : mappings) status.Update(mapping.Release());
  } else if (status.ok()) {
    for (Mapping& mapping : mappings) mapping.connection_ = nullptr;
  }
  return status;
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
  Slice(options, request);
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

absl::Status Session::WithdrawMemory(absl::string_view offered) {
  return connection_->WithdrawMemory(std::string(offered));
}

absl::Status Session::WithdrawMemory(const SealedMemory& memory) { return connection_->WithdrawMemory(memory.id()); }

}  // namespace p2p
