#include "client/fd_channel.h"

#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/grpc_error.h"
#include "daemon/base/errors.h"

namespace p2p::internal {
namespace {

using ::p2pd::FdRef;
using ::p2pd::MakeError;
using ::p2pd::MutexLock;
using ::p2pd::Reason;
using ::p2pd::UniqueFd;

absl::Status SessionEnded(absl::string_view why) {
  return MakeError(absl::StatusCode::kUnavailable,
                   {.reason = Reason::kSessionEnded, .step = "session", .hint = "connect anew"}, why);
}

absl::Status ProtocolError(absl::string_view what) {
  return MakeError(absl::StatusCode::kInternal, {.step = "fd channel", .hint = "do the versions fit?"}, what);
}

// p2pd's words are fit for people as they are.
absl::Status AnswerOf(const v1::MemoryAccepted& answer) {
  if (answer.error().empty() && answer.code() == 0) return absl::OkStatus();
  absl::Status status(answer.code() == 0 ? absl::StatusCode::kUnknown : static_cast<absl::StatusCode>(answer.code()),
                      answer.error());
  v1::ErrorDetail detail;
  detail.set_reason(static_cast<v1::ErrorDetail::Reason>(answer.reason()));
  detail.set_step("OfferMemory");
  status.SetPayload(kErrorDetailUrl, absl::Cord(detail.SerializeAsString()));
  return status;
}

absl::Status SendFrame(FdRef socket, const v1::ClientFrame& frame, std::optional<FdRef> fd = std::nullopt) {
  return SendPacket(socket, frame.SerializeAsString(), fd);
}

}  // namespace

absl::StatusOr<std::shared_ptr<FdChannel>> FdChannel::Connect(absl::string_view path, absl::string_view client,
                                                              absl::Duration timeout) {
  P2PD_ASSIGN_OR_RETURN(UniqueFd socket, ConnectPacketSocket(path, timeout));
  v1::ClientFrame hello;
  hello.mutable_hello()->set_client(std::string(client));
  P2PD_RETURN_IF_ERROR(SendFrame(socket, hello));
  P2PD_RETURN_IF_ERROR(WaitForPacket(socket, timeout));
  P2PD_ASSIGN_OR_RETURN(const Packet packet, ReceivePacket(socket));
  v1::ServerFrame frame;
  if (!frame.ParseFromString(packet.bytes)) return ProtocolError("p2pd's first frame does not parse");
  if (frame.has_ended()) return SessionEnded(frame.ended().reason());
  if (!frame.has_welcome()) return ProtocolError("p2pd's first frame is not Welcome");
  return std::shared_ptr<FdChannel>(new FdChannel(std::move(socket), std::move(*frame.mutable_welcome())));
}

FdChannel::FdChannel(UniqueFd socket, v1::Welcome welcome)
    : owner_(getpid()), socket_(std::move(socket)), welcome_(std::move(welcome)) {}

FdChannel::~FdChannel() { Close(); }

void FdChannel::Start(Handlers handlers) {
  handlers_ = std::move(handlers);
  // The thread holds the channel, so that it may outlive a Close() from one of its own handlers.
  receiver_ = std::thread([self = shared_from_this()] { self->Receive(); });
}

bool FdChannel::inherited() const { return getpid() != owner_; }

void FdChannel::Close() {
  if (inherited()) {
    if (receiver_.joinable()) receiver_.detach();  // it never ran here
    socket_.Reset();
    return;
  }
  bool on_receiver = false;
  {
    MutexLock lock(mutex_);
    on_receiver = receiver_id_ == std::this_thread::get_id();
    closing_ = true;
    if (ended_.ok()) ended_ = SessionEnded("this process closed it");
    changed_.notify_all();
  }
  shutdown(socket_.get(), SHUT_RDWR);  // wakes the receiver
  if (!receiver_.joinable()) return;
  if (on_receiver) {
    receiver_.detach();
  } else {
    receiver_.join();
  }
}

absl::Status FdChannel::ended() const {
  if (inherited()) return SessionEnded("it is that of the process which forked this one");
  MutexLock lock(mutex_);
  return ended_;
}

void FdChannel::Receive() {
  {
    MutexLock lock(mutex_);
    receiver_id_ = std::this_thread::get_id();
  }
  absl::Status status;
  while (status.ok()) {
    absl::StatusOr<Packet> packet = ReceivePacket(socket_);
    status = packet.ok() ? Handle(*std::move(packet)) : packet.status();
  }
  if (p2pd::GetErrorInfo(status).reason != Reason::kSessionEnded) status = SessionEnded(status.message());
  bool closing = false;
  {
    MutexLock lock(mutex_);
    closing = closing_;
    if (ended_.ok()) ended_ = status;
    changed_.notify_all();
  }
  // Nothing more is read: p2pd shall see it too.
  shutdown(socket_.get(), SHUT_RDWR);
  if (!closing && handlers_.on_ended) handlers_.on_ended(status);
}

absl::Status FdChannel::Handle(Packet packet) {
  v1::ServerFrame frame;
  if (!frame.ParseFromString(packet.bytes)) return ProtocolError("p2pd sent a frame that does not parse");
  switch (frame.frame_case()) {
    case v1::ServerFrame::kGrant:
      return Deliver(frame.grant(), std::move(packet));
    case v1::ServerFrame::kQuiesceRequested:
      if (handlers_.on_quiesce) handlers_.on_quiesce(std::move(*frame.mutable_quiesce_requested()));
      return absl::OkStatus();
    case v1::ServerFrame::kResumed:
      if (handlers_.on_resumed) handlers_.on_resumed(frame.resumed());
      return absl::OkStatus();
    case v1::ServerFrame::kDeviceRevoked:
      if (handlers_.on_device_revoked) handlers_.on_device_revoked(frame.device_revoked());
      return absl::OkStatus();
    case v1::ServerFrame::kMemoryAccepted: {
      MutexLock lock(mutex_);
      const auto offer = offers_.find(frame.memory_accepted().name());
      if (offer != offers_.end()) offer->second.answer = AnswerOf(frame.memory_accepted());
      changed_.notify_all();
      return absl::OkStatus();
    }
    case v1::ServerFrame::kTakenOver: {
      MutexLock lock(mutex_);
      for (auto& [name, offer] : offers_) offer.lost = true;
      changed_.notify_all();
      return absl::OkStatus();
    }
    case v1::ServerFrame::kEnded:
      return SessionEnded(frame.ended().reason());
    case v1::ServerFrame::kWelcome:
      return ProtocolError("p2pd sent a second Welcome");
    case v1::ServerFrame::FRAME_NOT_SET:
      return absl::OkStatus();  // a frame of a later version
  }
  return absl::OkStatus();
}

absl::Status FdChannel::Deliver(const v1::Grant& grant, Packet packet) {
  if (packet.fds.size() != 1) {
    return ProtocolError(absl::StrCat("a Grant came with ", packet.fds.size(), " descriptors"));
  }
  MutexLock lock(mutex_);
  const auto waiting = grants_.find(grant.request_id());
  // A repeat, or one that nobody waits for any more: closed with the packet.
  if (waiting == grants_.end() || waiting->second.valid()) return absl::OkStatus();
  waiting->second = std::move(packet.fds[0]);
  changed_.notify_all();
  return absl::OkStatus();
}

absl::Status FdChannel::WaitUntil(absl::Time deadline, absl::string_view what, const std::function<bool()>& ready) {
  if (receiver_id_ == std::this_thread::get_id()) {
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     {.step = std::string(what), .hint = "make the call on another thread"},
                     "a callback of the session would wait for itself");
  }
  const auto until = std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(deadline - absl::Now());
  while (!ready()) {
    if (!ended_.ok()) return ended_;
    if (changed_.wait_until(mutex_, until) == std::cv_status::timeout && !ready()) {
      return MakeError(absl::StatusCode::kDeadlineExceeded, {.step = std::string(what)},
                       "p2pd sent nothing on the fd channel in time");
    }
  }
  return absl::OkStatus();
}

void FdChannel::ExpectGrant(const std::string& request_id) {
  MutexLock lock(mutex_);
  grants_.try_emplace(request_id);
}

absl::StatusOr<UniqueFd> FdChannel::TakeGrant(const std::string& request_id, absl::Time deadline) {
  MutexLock lock(mutex_);
  const absl::Status status = WaitUntil(deadline, "grant", [this, &request_id]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    const auto grant = grants_.find(request_id);
    return grant != grants_.end() && grant->second.valid();
  });
  auto grant = grants_.extract(request_id);
  if (!status.ok()) return status;
  return std::move(grant.mapped());
}

void FdChannel::ForgetGrant(const std::string& request_id) {
  MutexLock lock(mutex_);
  grants_.erase(request_id);
}

absl::Status FdChannel::OfferMemory(const std::string& name, FdRef memory, absl::Time deadline) {
  v1::ClientFrame frame;
  frame.mutable_offer_memory()->set_name(name);
  absl::Status status;
  for (bool answered = false; status.ok() && !answered;) {
    {
      MutexLock lock(mutex_);
      offers_[name].lost = false;
    }
    status = SendFrame(socket_, frame, memory);
    MutexLock lock(mutex_);
    const Offer& offer = offers_[name];
    if (status.ok()) {
      status = WaitUntil(deadline, "OfferMemory", [&offer] { return offer.answer.has_value() || offer.lost; });
    }
    answered = offer.answer.has_value();
    if (status.ok() && answered) status = *offer.answer;
  }
  MutexLock lock(mutex_);
  offers_.erase(name);
  return status;
}

absl::Status FdChannel::WithdrawMemory(const std::string& name) {
  P2PD_RETURN_IF_ERROR(ended());
  v1::ClientFrame frame;
  frame.mutable_withdraw_memory()->set_name(name);
  return SendFrame(socket_, frame);
}

absl::Status FdChannel::AckQuiesce(const std::string& operation) {
  P2PD_RETURN_IF_ERROR(ended());
  v1::ClientFrame frame;
  frame.mutable_ack_quiesce()->set_operation(operation);
  return SendFrame(socket_, frame);
}

}  // namespace p2p::internal
