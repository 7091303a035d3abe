#include "client/connection.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/error.h"
#include "client/fork.h"
#include "client/grpc_error.h"
#include "daemon/base/errors.h"

namespace p2p::internal {
namespace {

using ::p2pd::MakeError;

// p2pd's restart keeps the session. It takes a second or a few, but minutes where the kernel is still closing a device
// of the last one: as long as the session lives, only its deadline ends a call.
constexpr absl::Duration kFirstPause = absl::Milliseconds(50);  // doubled with each attempt
constexpr absl::Duration kLongestPause = absl::Seconds(2);

grpc::ChannelArguments ChannelArguments() {
  grpc::ChannelArguments arguments;
  // A session has its own connection: how another one fares does not slow its reconnects down.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  // To gRPC this is how long one attempt may take, handshake included; a busy or emulated machine needs more than
  // a moment.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  // A list of some thousand mappings is longer than gRPC's 4 MiB.
  arguments.SetMaxReceiveMessageSize(-1);
  return arguments;
}

// Why nothing can be connected at `path`, asked of the kernel directly: gRPC's own words name no errno.
int ProbeErrno(const std::string& path) {
  sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
  if (path.empty() || path.size() >= sizeof(address.sun_path)) return ENAMETOOLONG;
  std::copy(path.begin(), path.end(), address.sun_path);
  p2pd::UniqueFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const bool connected = connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  return connected ? ECONNRESET : errno;
}

// Not where p2pd itself says UNAVAILABLE: that has a reason.
bool ConnectionBroke(const absl::Status& status) {
  return absl::IsUnavailable(status) && GetErrorDetail(status).reason() == v1::ErrorDetail::REASON_UNSPECIFIED;
}

// So that no sum with a clock overflows, and that no 0 means "for ever" to the kernel.
absl::Duration Sensible(absl::Duration timeout) {
  return std::clamp(timeout, absl::Milliseconds(1), absl::Hours(24 * 365));
}

}  // namespace

absl::StatusOr<std::shared_ptr<Connection>> Connection::Open(Options options) {
  P2PD_RETURN_IF_ERROR(BeforeGrpc());
  options.connect_timeout = Sensible(options.connect_timeout);
  options.call_timeout = Sensible(options.call_timeout);
  std::shared_ptr<Connection> connection(new Connection(std::move(options)));
  const Options& wanted = connection->options_;
  P2PD_ASSIGN_OR_RETURN(connection->fd_channel_,
                        FdChannel::Connect(wanted.fd_socket, wanted.client_name, wanted.connect_timeout));
  P2PD_RETURN_IF_ERROR(connection->ConnectGrpc());
  return connection;
}

Connection::~Connection() {
  if (fd_channel_ == nullptr) return;
  Close();
  if (!fd_channel_->inherited()) return;
  // In a child of fork() gRPC's objects are the parent's: destroyed here, they would hang up there.
  new std::shared_ptr<grpc::Channel>(std::move(grpc_channel_));
  stub_.release();
}

absl::Status Connection::ConnectGrpc() {
  const absl::Time deadline = absl::Now() + options_.connect_timeout;
  grpc_channel_ = grpc::CreateCustomChannel(absl::StrCat("unix:", options_.grpc_socket),
                                            grpc::InsecureChannelCredentials(), ChannelArguments());
  stub_ = v1::Broker::NewStub(grpc_channel_);
  for (;;) {
    const grpc_connectivity_state state = grpc_channel_->GetState(/*try_to_connect=*/true);
    if (state == GRPC_CHANNEL_READY) return absl::OkStatus();
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE) {
      return ConnectError(options_.grpc_socket, ProbeErrno(options_.grpc_socket));
    }
    if (!grpc_channel_->WaitForStateChange(state, absl::ToChronoTime(deadline))) {
      return ConnectError(options_.grpc_socket, EAGAIN);
    }
  }
}

std::string Connection::NextRequestId() { return absl::StrCat("request-", ++last_request_); }

absl::StatusOr<std::string> Connection::OfferMemory(p2pd::FdRef memory) {
  std::string name = NextRequestId();
  P2PD_RETURN_IF_ERROR(fd_channel_->OfferMemory(name, memory, NewDeadline()));
  return name;
}

absl::StatusOr<std::string> Connection::OfferMemoryOnce(uint64_t id, p2pd::FdRef memory) {
  {
    p2pd::MutexLock lock(mutex_);
    if (const auto offered = offered_.find(id); offered != offered_.end()) return offered->second;
  }
  P2PD_ASSIGN_OR_RETURN(std::string name, OfferMemory(memory));
  std::string first;
  {
    p2pd::MutexLock lock(mutex_);
    first = offered_.try_emplace(id, name).first->second;
  }
  // Another thread was faster: p2pd shall not keep, and charge for, both.
  if (first != name) P2PD_RETURN_IF_ERROR(fd_channel_->WithdrawMemory(name));
  return first;
}

absl::Status Connection::WithdrawMemory(const std::string& name) {
  P2PD_RETURN_IF_ERROR(fd_channel_->ended());
  {
    p2pd::MutexLock lock(mutex_);
    std::erase_if(offered_, [&name](const auto& offered) { return offered.second == name; });
  }
  return fd_channel_->WithdrawMemory(name);
}

absl::Status Connection::WithdrawMemory(uint64_t id) {
  P2PD_RETURN_IF_ERROR(fd_channel_->ended());
  std::string name;
  {
    p2pd::MutexLock lock(mutex_);
    const auto offered = offered_.extract(id);
    if (offered.empty()) return absl::OkStatus();
    name = offered.mapped();
  }
  return fd_channel_->WithdrawMemory(name);
}

void Connection::AddToken(grpc::ClientContext& context) const {
  context.AddMetadata("p2pd-token", fd_channel_->welcome().token());
}

absl::Status Connection::CallWithRetries(absl::string_view name, absl::Time deadline,
                                         const std::function<grpc::Status(grpc::ClientContext&)>& attempt) {
  P2PD_RETURN_IF_ERROR(fd_channel_->ended());
  absl::Duration pause = kFirstPause;
  absl::Status broken;
  for (bool again_already = false;; again_already = true) {
    grpc::ClientContext context;
    AddToken(context);
    context.set_deadline(absl::ToChronoTime(deadline));
    absl::Status status = Explain(name, attempt(context));
    // Time ran out while gRPC was connecting anew: that is no answer that p2pd owes.
    const bool connected = grpc_channel_->GetState(/*try_to_connect=*/false) == GRPC_CHANNEL_READY;
    if (absl::IsDeadlineExceeded(status) && !broken.ok() && !connected) return broken;
    if (!options_.retry || !ConnectionBroke(status) || !fd_channel_->ended().ok()) return status;
    const absl::Time again = absl::Now() + pause;
    if (again >= deadline) return status;
    broken = std::move(status);
    // Ends at once when p2pd is there again, and lasts the whole pause while it is not.
    const bool is_back = grpc_channel_->WaitForConnected(absl::ToChronoTime(again));
    // A p2pd that is there, and breaks every call, is not asked without end.
    if (is_back && again_already) absl::SleepFor(kFirstPause);
    pause = std::min(2 * pause, kLongestPause);
  }
}

absl::Status Connection::Explain(absl::string_view name, const grpc::Status& grpc_status) const {
  absl::Status status = FromGrpc(grpc_status);
  if (status.ok() || status.GetPayload(kErrorDetailUrl).has_value()) return status;
  if (absl::Status ended = fd_channel_->ended(); !ended.ok()) return ended;
  p2pd::ErrorInfo info = {.step = std::string(name), .object = options_.grpc_socket};
  if (absl::IsDeadlineExceeded(status)) {
    return MakeError(status.code(), info,
                     absl::StrCat("p2pd did not answer within ", absl::FormatDuration(options_.call_timeout)));
  }
  if (!absl::IsUnavailable(status)) return status;
  info.hint = "is p2pd running? systemctl status p2pd";
  return MakeError(status.code(), info, status.message());
}

std::unique_ptr<grpc::ClientReader<v1::Event>> Connection::Watch(grpc::ClientContext& context) {
  AddToken(context);
  return stub_->WatchEvents(&context, v1::WatchEventsRequest());
}

}  // namespace p2p::internal
