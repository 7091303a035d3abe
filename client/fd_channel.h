// The session's lifeline: the handshake, the one thread that receives, and who waits for what it receives.
//
// Invariants: every descriptor that arrives is either handed to the call that asked for it or closed; the
// channel ends once, with a reason that everyone who waits is told; nothing is called under the lock.
#ifndef P2PD_CLIENT_FD_CHANNEL_H_
#define P2PD_CLIENT_FD_CHANNEL_H_

#include <sys/types.h>

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/packet.h"
#include "client/types.h"
#include "daemon/base/mutex.h"
#include "daemon/base/unique_fd.h"

namespace p2p::internal {

class FdChannel : public std::enable_shared_from_this<FdChannel> {
 public:
  // Called on the receiver thread, one at a time, in the order of the frames. Any may be empty.
  struct Handlers {
    std::function<void(v1::QuiesceRequested)> on_quiesce;
    std::function<void(const v1::Resumed&)> on_resumed;
    std::function<void(const v1::DeviceRevoked&)> on_device_revoked;
    std::function<void(const absl::Status&)> on_ended;  // not after Close()
  };

  // Connects and shakes hands; nothing is received after that until Start().
  static absl::StatusOr<std::shared_ptr<FdChannel>> Connect(absl::string_view path, absl::string_view client,
                                                            absl::Duration timeout);
  ~FdChannel();

  const v1::Welcome& welcome() const { return welcome_; }
  // Whether this process is a child of the one that connected. Locks may be held for ever here, threads are not.
  bool inherited() const;

  // Starts the receiver thread. Once.
  void Start(Handlers handlers);
  // Hangs up, and waits for the receiver thread unless it is the caller. Idempotent. In a child of fork() it only
  // closes the child's descriptor: the session is the parent's.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

  // OK while the channel is up; after that, and in a child of fork(), why it is not.
  absl::Status ended() const ABSL_LOCKS_EXCLUDED(mutex_);

  // The descriptor granted for a request: Expect it before the request is sent, Take it once the reply is
  // there, or Forget it. Take waits, since the reply can overtake the receiver thread.
  void ExpectGrant(const std::string& request_id) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<p2pd::UniqueFd> TakeGrant(const std::string& request_id, absl::Time deadline)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void ForgetGrant(const std::string& request_id) ABSL_LOCKS_EXCLUDED(mutex_);

  // Sends a memfd under `name` and waits for p2pd's answer.
  absl::Status OfferMemory(const std::string& name, p2pd::FdRef memory, absl::Time deadline)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Takes a memfd back; p2pd does not answer.
  absl::Status WithdrawMemory(const std::string& name);

  absl::Status AckQuiesce(const std::string& operation);

 private:
  FdChannel(p2pd::UniqueFd socket, v1::Welcome welcome);

  void Receive() ABSL_LOCKS_EXCLUDED(mutex_);
  // Deals with one packet; not OK ends the channel.
  absl::Status Handle(Packet packet) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Deliver(const v1::Grant& grant, Packet packet) ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits until `ready` holds. Errors: the reason why the channel ended; DeadlineExceeded.
  absl::Status WaitUntil(absl::Time deadline, absl::string_view what, const std::function<bool()>& ready)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const pid_t owner_;
  p2pd::UniqueFd socket_;
  const v1::Welcome welcome_;
  Handlers handlers_;
  std::thread receiver_;

  mutable p2pd::Mutex mutex_;
  std::condition_variable_any changed_;
  std::thread::id receiver_id_ ABSL_GUARDED_BY(mutex_);
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status ended_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, p2pd::UniqueFd> grants_ ABSL_GUARDED_BY(mutex_);  // by request_id; -1: still to come
  struct Offer {
    std::optional<absl::Status> answer;  // p2pd's
    bool lost = false;                   // perhaps: another p2pd has taken over
  };
  std::map<std::string, Offer> offers_ ABSL_GUARDED_BY(mutex_);  // by name
};

}  // namespace p2p::internal

#endif  // P2PD_CLIENT_FD_CHANNEL_H_
