// Accepts on one listening socket and hands each connection on with its place in the connection table.
//
// Invariant: a newcomer costs nothing but its place until the kernel has said whose it is. When descriptors
// run out, the spare one kept for that is used to take the newcomer and turn it away, so that the loop never
// spins on a connection that it cannot accept.
#ifndef P2PD_DAEMON_FRONT_LISTENER_H_
#define P2PD_DAEMON_FRONT_LISTENER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/base/unique_fd.h"
#include "daemon/front/connection_table.h"
#include "daemon/service/event_loop.h"

namespace p2pd {

class Listener {
 public:
  // The connection is non-blocking. Without a lease it is to be turned away.
  using Handler = absl::AnyInvocable<void(UniqueFd connection, absl::StatusOr<ConnectionTable::Lease> lease)>;

  // `name` is for the log. The loop and the table outlive the listener.
  static absl::StatusOr<std::unique_ptr<Listener>> Start(EventLoop& loop, ConnectionTable& table, std::string name,
                                                         UniqueFd listening, Handler handler);

 private:
  Listener(EventLoop& loop, ConnectionTable& table, std::string name, UniqueFd listening, Handler handler);
  absl::Status Listen();
  void OnReadable();
  // False when nothing more is to be accepted in this turn.
  bool AcceptOne();
  void Admit(UniqueFd connection);
  void TurnAwayWithSpare();
  void Pause();
  void LogRefusal(const absl::Status& why);

  EventLoop& loop_;
  ConnectionTable& table_;
  const std::string name_;
  const UniqueFd listening_;
  Handler handler_;
  UniqueFd spare_;
  EventLoop::Watch readable_;
  EventLoop::Watch resume_;
  absl::Time next_log_ = absl::InfinitePast();
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_FRONT_LISTENER_H_
