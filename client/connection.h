// One session's two sockets and the calls over them. A call carries the session's token; one whose gRPC
// connection broke is made again with the same request_id, so that p2pd does it once, until its
// deadline.
#ifndef P2PD_CLIENT_CONNECTION_H_
#define P2PD_CLIENT_CONNECTION_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/fd_channel.h"
#include "client/types.h"
#include "daemon/base/mutex.h"
#include "daemon/base/unique_fd.h"
#include "grpcpp/grpcpp.h"
#include "proto/p2pd/v1/broker.grpc.pb.h"

namespace p2p::internal {

class Connection {
 public:
  struct Options {
    std::string fd_socket;
    std::string grpc_socket;
    std::string client_name;
    absl::Duration connect_timeout;
    absl::Duration call_timeout;
    bool retry = true;
  };

  // The fd channel first, then gRPC; both are up when it returns, and the fd channel is not started.
  static absl::StatusOr<std::shared_ptr<Connection>> Open(Options options);
  // Hangs up, as does the destructor: p2pd then ends the session and everything that it holds. Idempotent.
  void Close() { fd_channel_->Close(); }
  ~Connection();

  FdChannel& fd_channel() { return *fd_channel_; }

  // Unique in the session.
  std::string NextRequestId();
  absl::Time NewDeadline() const { return absl::Now() + options_.call_timeout; }

  // A method of the stub: &v1::Broker::Stub::GetDevice.
  template <typename Request, typename Response>
  using Method = grpc::Status (v1::Broker::Stub::*)(grpc::ClientContext*, const Request&, Response*);

  // Makes a call; `name` is for messages: "GetDevice".
  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(absl::string_view name, Method<Request, Response> method, const Request& request,
                                absl::Time deadline) {
    Response response;
    const absl::Status status = CallWithRetries(name, deadline, [&](grpc::ClientContext& context) {
      response.Clear();
      return (stub_.get()->*method)(&context, request, &response);
    });
    if (!status.ok()) return status;
    return response;
  }

  // The reply of a call that grants a descriptor, and the descriptor.
  template <typename Response>
  struct Granted {
    Response reply;
    absl::StatusOr<p2pd::UniqueFd> fd;  // an error where p2pd granted, but the descriptor did not arrive
  };
  // Makes a call whose reply a descriptor precedes on the fd channel. A descriptor that comes with a failure is
  // closed.
  template <typename Request, typename Response>
  absl::StatusOr<Granted<Response>> CallForGrant(absl::string_view name, Method<Request, Response> method,
                                                 const Request& request, absl::Time deadline) {
    if (const absl::Status ended = fd_channel_->ended(); !ended.ok()) return ended;
    fd_channel_->ExpectGrant(request.request_id());
    absl::StatusOr<Response> reply = Call(name, method, request, deadline);
    if (!reply.ok()) {
      fd_channel_->ForgetGrant(request.request_id());
      return reply.status();
    }
    return Granted<Response>{.reply = *std::move(reply), .fd = fd_channel_->TakeGrant(request.request_id(), deadline)};
  }

  // Offers a memfd to p2pd; returns the name that it has there.
  absl::StatusOr<std::string> OfferMemory(p2pd::FdRef memory);
  // Likewise, but only the first time: p2pd keeps what it was offered, and charges for it, until it is withdrawn
  // or the session ends. `id` is the memory's own, never used for another.
  absl::StatusOr<std::string> OfferMemoryOnce(uint64_t id, p2pd::FdRef memory) ABSL_LOCKS_EXCLUDED(mutex_);
  // By the name that it has at p2pd, or by the id that it was offered once with; what is not offered is ignored.
  absl::Status WithdrawMemory(const std::string& name) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status WithdrawMemory(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);

  // Opens the event stream, which `context` cancels.
  std::unique_ptr<grpc::ClientReader<v1::Event>> Watch(grpc::ClientContext& context);
  // What this library says of gRPC's `status`: p2pd's own words, or that p2pd could not be asked.
  absl::Status Explain(absl::string_view name, const grpc::Status& status) const;

 private:
  explicit Connection(Options options) : options_(std::move(options)) {}

  absl::Status ConnectGrpc();
  void AddToken(grpc::ClientContext& context) const;
  absl::Status CallWithRetries(absl::string_view name, absl::Time deadline,
                               const std::function<grpc::Status(grpc::ClientContext&)>& attempt);

  const Options options_;
  std::shared_ptr<FdChannel> fd_channel_;
  std::shared_ptr<grpc::Channel> grpc_channel_;
  std::unique_ptr<v1::Broker::Stub> stub_;
  std::atomic<uint64_t> last_request_ = 0;
  p2pd::Mutex mutex_;
  std::map<uint64_t, std::string> offered_ ABSL_GUARDED_BY(mutex_);  // names by the memories' ids
};

}  // namespace p2p::internal

#endif  // P2PD_CLIENT_CONNECTION_H_
