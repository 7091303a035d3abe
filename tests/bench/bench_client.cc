#include "tests/bench/bench_client.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/packet.h"
#include "daemon/base/errors.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "proto/p2pd/v1/fd_channel.pb.h"

namespace p2pd::bench {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(30);

std::shared_ptr<grpc::Channel> ConnectGrpc(const std::string& path) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(absl::StrCat("unix:", path), grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

v1::Window WindowOf(const std::string& device, uint64_t offset, uint64_t length) {
  v1::Window window;
  window.set_device(device);
  window.set_bar(2);
  window.set_offset(offset);
  window.set_length(length);
  return window;
}

absl::StatusOr<std::unique_ptr<BenchClient>> BenchClient::Connect(const Sockets& sockets) {
  std::unique_ptr<BenchClient> client(new BenchClient());
  P2PD_RETURN_IF_ERROR(client->Shake(sockets.fd));
  client->stub_ = v1::Broker::NewStub(ConnectGrpc(sockets.grpc));
  P2PD_RETURN_IF_ERROR(client->Ping());
  return client;
}

absl::StatusOr<std::unique_ptr<BenchClient>> BenchClient::ConnectBare(const std::string& grpc_socket) {
  std::unique_ptr<BenchClient> client(new BenchClient());
  client->stub_ = v1::Broker::NewStub(ConnectGrpc(grpc_socket));
  P2PD_RETURN_IF_ERROR(client->Ping());
  return client;
}

void BenchClient::Watch(grpc::ClientContext& context, grpc::ClientReadReactor<v1::Event>& reactor) {
  context.AddMetadata("p2pd-token", token_);
  stub_->async()->WatchEvents(&context, &watch_, &reactor);
}

absl::Status BenchClient::Shake(const std::string& fd_socket) {
  P2PD_ASSIGN_OR_RETURN(fd_socket_, p2p::internal::ConnectPacketSocket(fd_socket, kPatience));
  v1::ClientFrame hello;
  hello.mutable_hello()->set_client("bench");
  P2PD_RETURN_IF_ERROR(p2p::internal::SendPacket(fd_socket_, hello.SerializeAsString()));
  P2PD_RETURN_IF_ERROR(p2p::internal::WaitForPacket(fd_socket_, kPatience));
  P2PD_ASSIGN_OR_RETURN(const p2p::internal::Packet answer, p2p::internal::ReceivePacket(fd_socket_));
  v1::ServerFrame frame;
  if (!frame.ParseFromString(answer.bytes) || !frame.has_welcome()) {
    return absl::InternalError(absl::StrCat("no Welcome: ", frame.ShortDebugString()));
  }
  token_ = frame.welcome().token();
  return absl::OkStatus();
}

std::string BenchClient::NextRequestId() { return absl::StrCat("request-", ++last_request_); }

absl::Status BenchClient::Explain(absl::string_view name, const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(name, ": ", status.error_message()));
}

absl::Status BenchClient::Ping() {
  grpc::ClientContext context;
  v1::PingResponse response;
  return Explain("Ping", stub_->Ping(&context, {}, &response));
}

absl::StatusOr<UniqueFd> BenchClient::ReceiveFd() {
  P2PD_ASSIGN_OR_RETURN(p2p::internal::Packet packet, p2p::internal::ReceivePacket(fd_socket_));
  if (packet.fds.size() != 1) return absl::InternalError("a packet without its descriptor");
  return std::move(packet.fds.front());
}

absl::StatusOr<std::string> BenchClient::Drive(const std::string& device) {
  v1::OpenDeviceRequest open;
  open.set_name(device);
  v1::Device opened;
  P2PD_RETURN_IF_ERROR(Call("OpenDevice", &v1::Broker::Stub::OpenDevice, open, opened));
  // It goes with the session all the same, and the bench does nothing with the device itself.
  P2PD_RETURN_IF_ERROR(ReceiveFd().status());
  v1::DeviceReadyRequest ready;
  ready.set_name(device);
  ready.set_generation(opened.generation());
  P2PD_RETURN_IF_ERROR(Call("DeviceReady", &v1::Broker::Stub::DeviceReady, ready, opened));
  v1::CreateAddressSpaceRequest create;
  create.add_devices(device);
  v1::AddressSpace space;
  P2PD_RETURN_IF_ERROR(Call("CreateAddressSpace", &v1::Broker::Stub::CreateAddressSpace, create, space));
  return space.name();
}

absl::StatusOr<std::string> BenchClient::CreateExport(const v1::Window& window) {
  v1::CreateExportRequest request;
  *request.mutable_window() = window;
  v1::Export made;
  P2PD_RETURN_IF_ERROR(Call("CreateExport", &v1::Broker::Stub::CreateExport, request, made));
  return made.name();
}

absl::StatusOr<std::string> BenchClient::MapPage(const std::string& source, const std::string& space) {
  v1::MapRequest request;
  request.set_export_(source);
  request.set_address_space(space);
  request.set_length(kPage);
  v1::Mapping mapping;
  P2PD_RETURN_IF_ERROR(Call("Map", &v1::Broker::Stub::Map, request, mapping));
  return mapping.name();
}

absl::Status BenchClient::Unmap(const std::string& mapping) {
  v1::UnmapRequest request;
  request.set_name(mapping);
  v1::Mapping unmapped;
  return Call("Unmap", &v1::Broker::Stub::Unmap, request, unmapped);
}

absl::Status BenchClient::DeleteExport(const std::string& source) {
  v1::DeleteExportRequest request;
  request.set_name(source);
  v1::DeleteExportResponse response;
  return Call("DeleteExport", &v1::Broker::Stub::DeleteExport, request, response);
}

absl::StatusOr<v1::BatchMapResponse> BenchClient::BatchMapPage(const std::string& source, const std::string& space,
                                                               int count) {
  v1::BatchMapRequest batch;
  for (int i = 0; i < count; ++i) {
    v1::MapRequest& request = *batch.add_requests();
    request.set_export_(source);
    request.set_address_space(space);
    request.set_length(kPage);
  }
  v1::BatchMapResponse response;
  P2PD_RETURN_IF_ERROR(Call("BatchMap", &v1::Broker::Stub::BatchMap, batch, response));
  return response;
}

}  // namespace p2pd::bench
