#include "client/export.h"

#include <utility>

#include "client/connection.h"
#include "client/time_to_live.h"
#include "daemon/base/errors.h"
#include "daemon/base/unique_fd.h"

namespace p2p {

struct Export::Impl {
  std::shared_ptr<internal::Connection> connection;  // null once released
  p2pd::UniqueFd dma_buf;
  v1::Export info;
};

Export::Export(std::shared_ptr<internal::Connection> connection, int dma_buf, v1::Export info)
    : impl_(
          new Impl{.connection = std::move(connection), .dma_buf = p2pd::UniqueFd(dma_buf), .info = std::move(info)}) {}

Export::Export(Export&& other) noexcept = default;

Export& Export::operator=(Export&& other) noexcept {
  if (this == &other) return *this;
  Release().status().IgnoreError();
  impl_ = std::move(other.impl_);
  return *this;
}

Export::~Export() { Release().status().IgnoreError(); }

const std::string& Export::name() const { return impl_->info.name(); }
const v1::Window& Export::window() const { return impl_->info.window(); }
const v1::Export& Export::info() const { return impl_->info; }
int Export::dma_buf() const { return impl_->dma_buf.get(); }

absl::Status Export::Renew(absl::Duration time_to_live) {
  internal::Connection* connection = impl_->connection.get();
  if (connection == nullptr) return absl::FailedPreconditionError("the export was released");
  v1::RenewExportRequest request;
  request.set_name(name());
  internal::SetTimeToLive(time_to_live, request);
  request.set_request_id(connection->NextRequestId());
  P2PD_ASSIGN_OR_RETURN(
      impl_->info, connection->Call("RenewExport", &v1::Broker::Stub::RenewExport, request, connection->NewDeadline()));
  return absl::OkStatus();
}

absl::StatusOr<v1::Operation> Export::Release() {
  if (impl_ == nullptr || impl_->connection == nullptr) return v1::Operation();
  internal::Connection* connection = impl_->connection.get();
  impl_->dma_buf.Reset();
  v1::DeleteExportRequest request;
  request.set_name(name());
  request.set_request_id(connection->NextRequestId());
  const auto reply =
      connection->Call("DeleteExport", &v1::Broker::Stub::DeleteExport, request, connection->NewDeadline());
  if (!reply.ok() && !absl::IsNotFound(reply.status())) return reply.status();
  impl_->connection = nullptr;
  return reply.ok() ? reply->operation() : v1::Operation();
}

}  // namespace p2p
