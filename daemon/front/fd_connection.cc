#include "daemon/front/fd_connection.h"

#include <sys/epoll.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/front/resource_name.h"
#include "daemon/service/log.h"
#include "daemon/service/message_ids.h"

namespace p2pd {
namespace {

constexpr int kMaxFramesATurn = 16;

v1::ServerFrame WelcomeFrame(const Broker::NewSession& session, const std::string& version) {
  v1::ServerFrame frame;
  frame.mutable_welcome()->set_session(NameOf(session.id));
  frame.mutable_welcome()->set_token(session.token);
  frame.mutable_welcome()->set_version(version);
  return frame;
}

v1::ServerFrame MemoryFrame(const std::string& name, const absl::Status& verdict) {
  v1::ServerFrame frame;
  v1::MemoryAccepted& answer = *frame.mutable_memory_accepted();
  answer.set_name(name);
  answer.set_error(std::string(verdict.message()));
  answer.set_code(static_cast<int32_t>(verdict.code()));
  answer.set_reason(static_cast<int32_t>(GetErrorInfo(verdict).reason));
  return frame;
}

std::string Describe(const Peer& peer) {
  return absl::StrCat("uid ", peer.identity.subject.uid, ", ", peer.identity.comm, "[", peer.identity.pid, "]");
}

}  // namespace

absl::StatusOr<std::shared_ptr<FdConnection>> FdConnection::Start(const Surroundings& around, Peer peer,
                                                                  UniqueFd socket, ConnectionTable::Lease lease,
                                                                  OnClosed on_closed) {
  std::shared_ptr<FdConnection> connection(
      new FdConnection(around, std::move(peer), std::move(lease), std::move(on_closed)));
  P2PD_RETURN_IF_ERROR(connection->Watch(std::move(socket)));
  return connection;
}

absl::StatusOr<std::shared_ptr<FdConnection>> FdConnection::Resume(const Surroundings& around, SessionId session,
                                                                   Peer peer, UniqueFd socket,
                                                                   ConnectionTable::Lease lease, OnClosed on_closed) {
  std::shared_ptr<FdConnection> connection(
      new FdConnection(around, std::move(peer), std::move(lease), std::move(on_closed)));
  P2PD_RETURN_IF_ERROR(connection->Watch(std::move(socket)));
  connection->hello_deadline_.Reset();
  connection->session_ = session;
  around.broker.Reattach(session, connection->channel_);
  v1::ServerFrame frame;
  frame.mutable_taken_over();
  connection->channel_->Send(frame);
  return connection;
}

FdConnection::FdConnection(const Surroundings& around, Peer peer, ConnectionTable::Lease lease, OnClosed on_closed)
    : around_(around),
      peer_(std::move(peer)),
      lease_(std::make_shared<ConnectionTable::Lease>(std::move(lease))),
      on_closed_(std::move(on_closed)) {}

absl::Status FdConnection::Watch(UniqueFd socket) {
  EventLoop& loop = around_.loop;
  UnreadFds::Account unread = around_.unread_fds.Open(peer_.identity.subject.uid, socket);
  channel_ = std::make_shared<FdChannel>(std::move(socket), std::move(unread), [&loop, weak = weak_from_this()] {
    loop.Post([weak] {
      if (const auto self = weak.lock()) self->OnBacklog();
    });
  });
  P2PD_ASSIGN_OR_RETURN(readable_, loop.WatchFd(channel_->socket(), EPOLLIN, [this](uint32_t e) { OnEvents(e); }));
  P2PD_ASSIGN_OR_RETURN(process_ended_, loop.WatchFd(peer_.pidfd, EPOLLIN,
                                                     [this](uint32_t) { Close("the process that connected ended"); }));
  P2PD_ASSIGN_OR_RETURN(hello_deadline_,
                        loop.After(around_.hello_deadline, [this] { EndForViolation("no Hello came in time"); }));
  return absl::OkStatus();
}

void FdConnection::OnEvents(uint32_t revents) {
  if ((revents & (EPOLLHUP | EPOLLERR)) != 0) return Close("the fd channel hung up");
  if ((revents & EPOLLOUT) != 0) {
    backlog_ = channel_->Flush();
    UpdateEvents();
  }
  if ((revents & EPOLLIN) == 0) return;
  for (int i = 0; i < kMaxFramesATurn && ReadOne(); ++i) continue;
}

void FdConnection::OnBacklog() {
  if (closed_) return;
  backlog_ = channel_->Flush();
  UpdateEvents();
}

void FdConnection::UpdateEvents() {
  readable_.SetEvents((waiting_ ? 0u : static_cast<uint32_t>(EPOLLIN)) |
                      (backlog_ ? static_cast<uint32_t>(EPOLLOUT) : 0u));
}

bool FdConnection::ReadOne() {
  auto packet = ReceivePacket(channel_->socket());
  if (!packet.ok()) {
    Close("the fd channel hung up");
    return false;
  }
  if (!packet->has_value()) return false;
  Handle(*std::move(*packet));
  return !closed_ && !waiting_;
}

void FdConnection::Handle(Packet packet) {
  const auto frame = ParseClientFrame(packet.bytes, packet.fds.size());
  if (packet.truncated || !frame.ok()) {
    to_close_ = std::move(packet.fds);
    return EndForViolation(packet.truncated ? "a packet was cut short" : std::string(frame.status().message()));
  }
  if (frame->has_hello() == session_.has_value()) {
    to_close_ = std::move(packet.fds);
    return EndForViolation(session_.has_value() ? "Hello came twice" : "the first frame was not Hello");
  }
  if (frame->has_hello()) return OnHello(frame->hello());
  if (frame->has_ack_quiesce()) return OnAckQuiesce(frame->ack_quiesce());
  if (frame->has_withdraw_memory()) {
    return around_.broker.WithdrawMemory(*session_, frame->withdraw_memory().name());
  }
  OnOfferMemory(frame->offer_memory().name(), std::move(packet.fds.front()));
}

// Elsewhere, because the session is answered only when it is kept for a successor.
void FdConnection::OnHello(const v1::Hello& hello) {
  hello_deadline_.Reset();
  peer_.identity.client = hello.client();
  waiting_ = true;
  UpdateEvents();
  around_.workers.Run([self = shared_from_this(), lease = lease_]() mutable {
    auto session = self->around_.broker.OpenSession(self->peer_.identity, self->channel_);
    EventLoop& loop = self->around_.loop;
    loop.Post([self = std::move(self), session = std::move(session)] { self->OnSession(session); });
  });
}

void FdConnection::OnSession(const absl::StatusOr<Broker::NewSession>& session) {
  waiting_ = false;
  if (closed_) {
    if (session.ok()) around_.broker.EndSession(session->id, "the fd channel hung up");
    return;
  }
  UpdateEvents();
  if (!session.ok()) return EndForViolation(std::string(session.status().message()));
  session_ = session->id;
  LogSession(kSessionBegan, absl::StrCat("began: ", Describe(peer_), " as '", peer_.identity.client, "'"));
  channel_->Send(WelcomeFrame(*session, around_.version));
}

void FdConnection::OnAckQuiesce(const v1::AckQuiesce& ack) {
  const auto operation = ParseOperationName(ack.operation());
  if (!operation.ok()) return EndForViolation(std::string(operation.status().message()));
  around_.broker.AckQuiesce(*session_, *operation);
}

// Elsewhere, because asking what a stranger's descriptor is can block as closing it can.
void FdConnection::OnOfferMemory(const std::string& name, UniqueFd memory) {
  waiting_ = true;
  UpdateEvents();
  around_.workers.Run([self = shared_from_this(), lease = lease_, name, memory = std::move(memory)]() mutable {
    const absl::Status verdict = self->around_.broker.OfferMemory(*self->session_, name, std::move(memory));
    self->channel_->Send(MemoryFrame(name, verdict));
    EventLoop& loop = self->around_.loop;
    loop.Post([self = std::move(self)] { self->OnMemoryJudged(); });
  });
}

void FdConnection::OnMemoryJudged() {
  waiting_ = false;
  if (!closed_) UpdateEvents();
}

void FdConnection::LogSession(absl::string_view id, const std::string& what) const {
  const PeerIdentity& peer = peer_.identity;
  Log({.message = absl::StrCat(NameOf(*session_), " ", what),
       .id = id,
       .fields = {{"P2PD_SESSION", NameOf(*session_)},
                  {"P2PD_UID", absl::StrCat(peer.subject.uid)},
                  {"P2PD_PID", absl::StrCat(peer.pid)},
                  {"P2PD_UNIT", peer.subject.unit},
                  {"P2PD_CLIENT", peer.client}}});
}

void FdConnection::EndForViolation(const std::string& why) {
  Log(LogLevel::kNotice, absl::StrCat("hangs up on ", Describe(peer_), ": ", why));
  channel_->End(why);
  Close(why);
}

void FdConnection::Close(const std::string& reason) {
  if (std::exchange(closed_, true)) return;
  const auto self = shared_from_this();
  readable_.Reset();
  process_ended_.Reset();
  hello_deadline_.Reset();
  if (session_.has_value()) {
    LogSession(kSessionEnded, absl::StrCat("ended: ", reason));
    around_.broker.EndSession(*session_, reason);
  }
  around_.workers.Run(
      [socket = channel_->TakeSocket(), fds = std::move(to_close_), lease = std::move(lease_)]() mutable {
        CloseChannel(std::move(socket));
        fds.clear();
      });
  // Not at once: whoever calls may be in the middle of a walk over the connections.
  around_.loop.Post([self] { self->on_closed_(self.get()); });
}

}  // namespace p2pd
