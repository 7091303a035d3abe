#include "client/mapping.h"

#include <utility>

#include "client/connection.h"
#include "daemon/base/errors.h"

namespace p2p {

using Stub = v1::Broker::Stub;

Mapping::Mapping(std::shared_ptr<internal::Connection> connection, v1::Mapping info)
    : connection_(std::move(connection)), info_(std::move(info)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  if (this == &other) return *this;
  Release().IgnoreError();
  connection_ = std::move(other.connection_);
  info_ = std::move(other.info_);
  return *this;
}

Mapping::~Mapping() { Release().IgnoreError(); }

absl::StatusOr<v1::Mapping::State> Mapping::Refresh() {
  if (connection_ == nullptr) return absl::FailedPreconditionError("the mapping was released");
  v1::GetMappingRequest request;
  request.set_name(name());
  P2PD_ASSIGN_OR_RETURN(info_, connection_->Call("GetMapping", &Stub::GetMapping, request, connection_->NewDeadline()));
  return info_.state();
}

absl::Status Mapping::Release() {
  if (connection_ == nullptr) return absl::OkStatus();
  v1::UnmapRequest request;
  request.set_name(name());
  request.set_request_id(connection_->NextRequestId());
  const auto reply = connection_->Call("Unmap", &Stub::Unmap, request, connection_->NewDeadline());
  // Gone already, with its export or its device, is what was asked for.
  if (!reply.ok() && !absl::IsNotFound(reply.status())) return reply.status();
  if (reply.ok()) info_ = *reply;
  connection_ = nullptr;
  return absl::OkStatus();
}

}  // namespace p2p
