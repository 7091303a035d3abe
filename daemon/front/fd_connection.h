// The reading half of one fd channel, and the session's lifeline. Lives on the loop's thread.
//
// The client has a few seconds to say Hello; then it has a session, which ends when the connection hangs up,
// when the process that opened it ends (a child that inherited the socket does not count), or at the first
// frame that breaks the protocol.
//
// Invariant: what a client sent is never closed on the loop's thread, for closing a stranger's descriptor may
// block (a TCP socket that lingers, a file of a FUSE server). The workers do it, and the connection keeps
// its place in the connection table until they have.
#ifndef P2PD_DAEMON_FRONT_FD_CONNECTION_H_
#define P2PD_DAEMON_FRONT_FD_CONNECTION_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "daemon/base/scheduler.h"
#include "daemon/base/unique_fd.h"
#include "daemon/core/broker.h"
#include "daemon/front/connection_table.h"
#include "daemon/front/fd_channel.h"
#include "daemon/front/fd_message.h"
#include "daemon/front/peer_identity.h"
#include "daemon/front/unread_fds.h"
#include "daemon/service/event_loop.h"

namespace p2pd {

class FdConnection : public std::enable_shared_from_this<FdConnection> {
 public:
  struct Surroundings {  // all outlive the connection
    EventLoop& loop;
    Broker& broker;
    Scheduler& workers;  // threads that may block
    UnreadFds& unread_fds;
    std::string version;
    absl::Duration hello_deadline;
  };
  using OnClosed = absl::AnyInvocable<void(FdConnection*)>;

  // `on_closed` is called once, from the loop's thread, never from within Start().
  static absl::StatusOr<std::shared_ptr<FdConnection>> Start(const Surroundings& around, Peer peer, UniqueFd socket,
                                                             ConnectionTable::Lease lease, OnClosed on_closed);

  // A session that a predecessor left.
  static absl::StatusOr<std::shared_ptr<FdConnection>> Resume(const Surroundings& around, SessionId session, Peer peer,
                                                              UniqueFd socket, ConnectionTable::Lease lease,
                                                              OnClosed on_closed);

  // Ends the session, if there is one, and hangs up. Idempotent.
  void Close(const std::string& reason);

 private:
  FdConnection(const Surroundings& around, Peer peer, ConnectionTable::Lease lease, OnClosed on_closed);
  absl::Status Watch(UniqueFd socket);
  void OnEvents(uint32_t revents);
  void OnBacklog();
  // False when nothing more is to be read in this turn.
  bool ReadOne();
  void Handle(Packet packet);
  void OnHello(const v1::Hello& hello);
  void OnSession(const absl::StatusOr<Broker::NewSession>& session);
  void OnAckQuiesce(const v1::AckQuiesce& ack);
  void OnOfferMemory(const std::string& name, UniqueFd memory);
  void OnMemoryJudged();
  void LogSession(absl::string_view id, const std::string& what) const;
  void EndForViolation(const std::string& why);
  void UpdateEvents();

  const Surroundings around_;
  Peer peer_;
  // Shared with what runs elsewhere for this connection: its place is free once all of that is over.
  std::shared_ptr<ConnectionTable::Lease> lease_;
  OnClosed on_closed_;
  std::shared_ptr<FdChannel> channel_;
  EventLoop::Watch readable_;
  EventLoop::Watch process_ended_;
  EventLoop::Watch hello_deadline_;
  std::optional<SessionId> session_;
  std::vector<UniqueFd> to_close_;
  bool closed_ = false;
  bool waiting_ = false;  // for its session, or a verdict on its memory: nothing is read meanwhile
  bool backlog_ = false;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_FRONT_FD_CONNECTION_H_
