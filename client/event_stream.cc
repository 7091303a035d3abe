#include "client/event_stream.h"

#include <utility>

#include "client/connection.h"

namespace p2p {

struct EventStream::Impl {
  std::shared_ptr<internal::Connection> connection;
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReader<v1::Event>> reader;
  absl::Status ended;
};

EventStream::EventStream(std::shared_ptr<internal::Connection> connection) : impl_(std::make_unique<Impl>()) {
  impl_->connection = std::move(connection);
  impl_->reader = impl_->connection->Watch(impl_->context);
}

EventStream::~EventStream() {
  if (impl_->connection->fd_channel().inherited()) {
    impl_.release();  // gRPC's objects are the parent's
    return;
  }
  Cancel();
  while (Next().ok()) {
  }
}

absl::StatusOr<v1::Event> EventStream::Next() {
  if (!impl_->ended.ok()) return impl_->ended;
  if (impl_->connection->fd_channel().inherited()) return impl_->connection->fd_channel().ended();
  v1::Event event;
  if (impl_->reader->Read(&event)) return event;
  impl_->ended = impl_->connection->Explain("WatchEvents", impl_->reader->Finish());
  if (impl_->ended.ok()) impl_->ended = absl::UnavailableError("WatchEvents: p2pd ended the stream");
  return impl_->ended;
}

void EventStream::Cancel() {
  if (!impl_->connection->fd_channel().inherited()) impl_->context.TryCancel();
}

}  // namespace p2p
