#include "client/device.h"

#include <utility>

#include "client/connection.h"
#include "daemon/base/errors.h"
#include "daemon/base/unique_fd.h"

namespace p2p {

using Stub = v1::Broker::Stub;

struct Device::Impl {
  std::shared_ptr<internal::Connection> connection;  // null once closed
  p2pd::UniqueFd fd;
  v1::Device info;
};

Device::Device(std::shared_ptr<internal::Connection> connection, int fd, v1::Device info)
    : impl_(new Impl{.connection = std::move(connection), .fd = p2pd::UniqueFd(fd), .info = std::move(info)}) {}

Device::Device(Device&& other) noexcept = default;

Device& Device::operator=(Device&& other) noexcept {
  if (this == &other) return *this;
  Close().IgnoreError();
  impl_ = std::move(other.impl_);
  return *this;
}

Device::~Device() { Close().IgnoreError(); }

const std::string& Device::name() const { return impl_->info.name(); }
int Device::fd() const { return impl_->fd.get(); }
const v1::Device& Device::info() const { return impl_->info; }

absl::Status Device::Ready(uint64_t generation) {
  internal::Connection* connection = impl_->connection.get();
  if (connection == nullptr) return absl::FailedPreconditionError("the device was closed");
  v1::DeviceReadyRequest request;
  request.set_name(name());
  request.set_generation(generation);
  request.set_request_id(connection->NextRequestId());
  P2PD_ASSIGN_OR_RETURN(impl_->info,
                        connection->Call("DeviceReady", &Stub::DeviceReady, request, connection->NewDeadline()));
  return absl::OkStatus();
}

absl::StatusOr<v1::Operation> Device::Reset(v1::ResetDeviceRequest::Scope scope) {
  internal::Connection* connection = impl_->connection.get();
  if (connection == nullptr) return absl::FailedPreconditionError("the device was closed");
  v1::ResetDeviceRequest request;
  request.set_name(name());
  request.set_scope(scope);
  request.set_request_id(connection->NextRequestId());
  return connection->Call("ResetDevice", &Stub::ResetDevice, request, connection->NewDeadline());
}

absl::Status Device::Close() {
  if (impl_ == nullptr || impl_->connection == nullptr) return absl::OkStatus();
  internal::Connection* connection = impl_->connection.get();
  impl_->fd.Reset();
  v1::CloseDeviceRequest request;
  request.set_name(name());
  request.set_request_id(connection->NextRequestId());
  const auto reply = connection->Call("CloseDevice", &Stub::CloseDevice, request, connection->NewDeadline());
  // A device that was unplugged meanwhile needs no driver's end.
  if (!reply.ok() && !absl::IsNotFound(reply.status())) return reply.status();
  if (reply.ok()) impl_->info = *reply;
  impl_->connection = nullptr;
  return absl::OkStatus();
}

}  // namespace p2p
