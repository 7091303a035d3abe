#include "client/address_space.h"

#include <utility>

#include "client/connection.h"
#include "daemon/base/errors.h"

namespace p2p {

AddressSpace::AddressSpace(std::shared_ptr<internal::Connection> connection, v1::AddressSpace info)
    : connection_(std::move(connection)), info_(std::move(info)) {}

AddressSpace& AddressSpace::operator=(AddressSpace&& other) noexcept {
  if (this == &other) return *this;
  Release().status().IgnoreError();
  connection_ = std::move(other.connection_);
  info_ = std::move(other.info_);
  return *this;
}

AddressSpace::~AddressSpace() { Release().status().IgnoreError(); }

absl::StatusOr<v1::Operation> AddressSpace::Release() {
  if (connection_ == nullptr) return v1::Operation();
  v1::DeleteAddressSpaceRequest request;
  request.set_name(name());
  request.set_request_id(connection_->NextRequestId());
  const auto reply = connection_->Call("DeleteAddressSpace", &v1::Broker::Stub::DeleteAddressSpace, request,
                                       connection_->NewDeadline());
  if (!reply.ok() && !absl::IsNotFound(reply.status())) return reply.status();
  connection_ = nullptr;
  return reply.ok() ? reply->operation() : v1::Operation();
}

}  // namespace p2p
