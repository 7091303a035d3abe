// How a unary call is answered: at once, or when core is done with it. A call is finished exactly once, also
// when core drops it unanswered.
#ifndef P2PD_DAEMON_FRONT_UNARY_CALL_H_
#define P2PD_DAEMON_FRONT_UNARY_CALL_H_

#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/core/types.h"
#include "daemon/front/grpc_status.h"
#include "daemon/front/to_proto.h"
#include "grpcpp/support/server_callback.h"
#include "proto/p2pd/v1/broker.pb.h"

namespace p2pd {

// What a call's response says of what core returned: the object itself, or an operation's receipt.
template <typename View, typename Response>
void Fill(const View& view, Response& response) {
  response = ToProto(view);
}
inline void Fill(const OperationView& view, v1::DeleteExportResponse& response) {
  *response.mutable_operation() = ToProto(view);
}
inline void Fill(const OperationView& view, v1::DeleteAddressSpaceResponse& response) {
  *response.mutable_operation() = ToProto(view);
}

inline void Fill(const AcquiredView& view, v1::AcquireResponse& response) {
  *response.mutable_export_() = ToProto(view.source);
  for (const MappingView& mapping : view.mappings) *response.add_mappings() = ToProto(mapping);
}
template <typename Response>
void Fill(const std::vector<MappingView>& views, Response& response) {
  for (const MappingView& view : views) *response.add_mappings() = ToProto(view);
}

// Finishes its call when it is called, or when it goes without having been.
template <typename View, typename Response>
class Reply {
 public:
  Reply(grpc::ServerUnaryReactor* reactor, Response* response) : reactor_(reactor), response_(response) {}
  Reply(Reply&& other) noexcept : reactor_(std::exchange(other.reactor_, nullptr)), response_(other.response_) {}
  Reply& operator=(Reply&&) = delete;
  ~Reply() {
    if (reactor_ != nullptr) reactor_->Finish(ToGrpc(absl::UnavailableError("p2pd stops")));
  }

  void operator()(absl::StatusOr<View> outcome) {
    grpc::ServerUnaryReactor* reactor = std::exchange(reactor_, nullptr);
    if (outcome.ok()) Fill(*outcome, *response_);
    reactor->Finish(ToGrpc(outcome.status()));
  }

 private:
  grpc::ServerUnaryReactor* reactor_;
  Response* response_;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_FRONT_UNARY_CALL_H_
