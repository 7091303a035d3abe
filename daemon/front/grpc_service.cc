#include "daemon/front/grpc_service.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/front/event_stream.h"
#include "daemon/front/from_proto.h"
#include "daemon/front/grpc_status.h"

namespace p2pd {
namespace {

constexpr char kTokenKey[] = "p2pd-token";

// A stream that is over before it began.
class FailedWatch final : public grpc::ServerWriteReactor<v1::Event> {
 public:
  explicit FailedWatch(const absl::Status& status) { Finish(ToGrpc(status)); }
  void OnDone() override { delete this; }
};

}  // namespace

GrpcService::GrpcService(Broker& broker, EventLoop& loop, Options options)
    : broker_(broker), loop_(loop), options_(std::move(options)) {}

absl::StatusOr<SessionId> GrpcService::Authenticate(const Context& context) const {
  const auto token = context.client_metadata().find(kTokenKey);
  if (token == context.client_metadata().end()) {
    return MakeError(absl::StatusCode::kUnauthenticated,
                     {.reason = Reason::kSessionEnded,
                      .step = "authenticate",
                      .object = "",
                      .hint = "connect to the fd channel first; its Welcome has the token"},
                     absl::StrCat("the call has no ", kTokenKey));
  }
  return broker_.Authenticate(absl::string_view(token->second.data(), token->second.size()));
}

GrpcService::Reactor* GrpcService::Look(Context* context, absl::FunctionRef<absl::Status(SessionId)> look) {
  Reactor* reactor = context->DefaultReactor();
  const auto viewer = Authenticate(*context);
  reactor->Finish(ToGrpc(viewer.ok() ? look(*viewer) : viewer.status()));
  return reactor;
}

GrpcService::Reactor* GrpcService::Change(Context* context, const std::string& request_id,
                                          absl::FunctionRef<absl::Status(SessionId, Reactor*)> start) {
  Reactor* reactor = context->DefaultReactor();
  const auto begin = [&]() -> absl::Status {
    P2PD_ASSIGN_OR_RETURN(const SessionId session, Authenticate(*context));
    P2PD_RETURN_IF_ERROR(CheckRequestId(request_id));
    return start(session, reactor);
  };
  if (const absl::Status status = begin(); !status.ok()) reactor->Finish(ToGrpc(status));
  return reactor;
}

absl::Status GrpcService::BeginWatch(SessionId session) {
  MutexLock lock(mutex_);
  int& watches = watches_[session];
  if (watches >= kMaxWatchesASession) {
    return MakeError(absl::StatusCode::kResourceExhausted,
                     {.reason = Reason::kQuota, .step = "WatchEvents", .object = "", .hint = "end one first"},
                     absl::StrCat("the session already has ", kMaxWatchesASession, " watches"));
  }
  ++watches;
  return absl::OkStatus();
}

void GrpcService::EndWatch(SessionId session) {
  MutexLock lock(mutex_);
  if (--watches_[session] == 0) watches_.erase(session);
}

grpc::ServerWriteReactor<v1::Event>* GrpcService::WatchEvents(Context* context, const v1::WatchEventsRequest*) {
  const auto viewer = Authenticate(*context);
  if (!viewer.ok()) return new FailedWatch(viewer.status());
  if (const absl::Status status = BeginWatch(*viewer); !status.ok()) return new FailedWatch(status);
  const auto [reactor, stream] =
      EventStream::Create(loop_, *viewer, options_.max_unread_events, [this, session = *viewer] { EndWatch(session); });
  if (const absl::Status status = broker_.Watch(*viewer, stream); !status.ok()) stream->End(status);
  return reactor;
}

}  // namespace p2pd
