// The writing half of a session's fd channel: what core sends to the client. Any thread, never blocks.
//
// Invariants: frames arrive in the order they were sent; a grant's fd is with the kernel when Grant
// returns, or the client will never see it; as many fds wait to be read as unread_fds.h allows, and at most
// kMaxBacklog frames wait for room. A client that lets more pile up is hung up on.
#ifndef P2PD_DAEMON_FRONT_FD_CHANNEL_H_
#define P2PD_DAEMON_FRONT_FD_CHANNEL_H_

#include <deque>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "daemon/base/mutex.h"
#include "daemon/base/unique_fd.h"
#include "daemon/core/session_channel.h"
#include "daemon/front/unread_fds.h"
#include "proto/p2pd/v1/fd_channel.pb.h"

namespace p2pd {

class FdChannel final : public SessionChannel {
 public:
  static constexpr size_t kMaxBacklog = 64;

  // `on_backlog` is told, on the sender's thread, that frames wait for room: someone must Flush() then.
  FdChannel(UniqueFd socket, UnreadFds::Account unread, absl::AnyInvocable<void()> on_backlog);

  absl::Status Grant(const Granted& what, const std::string& request_id, UniqueFd fd) override;
  void RequestQuiesce(const QuiesceNotice& notice) override;
  void Resume(const ResumeNotice& notice) override;
  void RevokeDevice(const PciAddress& device, const std::string& reason) override;
  UniqueFd Lifeline() override ABSL_LOCKS_EXCLUDED(mutex_);
  void End(const std::string& reason) override;

  void Send(const v1::ServerFrame& frame) ABSL_LOCKS_EXCLUDED(mutex_);
  // Sends what waits; true if some still does.
  bool Flush() ABSL_LOCKS_EXCLUDED(mutex_);

  // The reader's side. Only whoever calls TakeSocket may rely on socket() being open.
  FdRef socket() const { return FdRef(socket_number_); }
  // From now on nothing is sent. The caller closes it.
  UniqueFd TakeSocket() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // True if `on_backlog_` is to be told, once the lock is gone.
  bool SendLocked(std::string bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void HangUpLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const int socket_number_;
  absl::AnyInvocable<void()> on_backlog_;
  Mutex mutex_;
  UniqueFd socket_ ABSL_GUARDED_BY(mutex_);
  UnreadFds::Account unread_ ABSL_GUARDED_BY(mutex_);  // of the socket: goes before it
  bool hung_up_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<std::string> backlog_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_FRONT_FD_CHANNEL_H_
