// The methods of the Manager object. Each is four steps: what is asked; who asks (the bus is asked for that, and
// answers later); whether polkit refuses; and p2pd's own policy, which judges that caller as it would judge the same
// user's session. Nothing is decided here, and no step blocks the loop.
//
// What core does for sessions only is done in one of the caller's own, which can hold nothing and ends with the call.
// Everything on the loop's thread.
#ifndef P2PD_DAEMON_BUS_BUS_CALLS_H_
#define P2PD_DAEMON_BUS_BUS_CALLS_H_

#include <systemd/sd-bus.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "daemon/core/broker.h"
#include "daemon/service/event_loop.h"

namespace p2pd {

class BusCalls : public std::enable_shared_from_this<BusCalls> {
 public:
  // All outlive the calls. `on_log_level` is told of a new one.
  BusCalls(EventLoop& loop, Broker& broker, Scheduler& workers, std::function<void()> on_log_level);
  ~BusCalls();

  // As sd-bus wants a handler to answer: a negative errno, or 1 where the reply comes later.
  int ResetDevice(sd_bus_message* call);
  int RevokeSession(sd_bus_message* call);
  int RevokeExport(sd_bus_message* call);
  int ReloadPolicy(sd_bus_message* call);
  // 0 for whatever is not Properties.Set of the Manager's LogLevel. sd-bus wants a setter to answer at once, but who
  // asks is known only later.
  int SetLogLevel(sd_bus_message* call);

  // The bus is gone: nobody waits for an answer.
  void Forget();

 private:
  struct Call;
  struct Asked {
    std::string what;    // for the log
    const char* action;  // polkit's name for it
  };
  using Act = absl::AnyInvocable<void(uint64_t id, const PeerIdentity& peer)>;
  using Start = absl::AnyInvocable<void(SessionId session, Done<OperationView> done)>;

  // Asks the bus who the caller is, and polkit, then acts.
  int Begin(sd_bus_message* message, Asked asked, Act act);
  int BeginOperation(sd_bus_message* message, const Asked& asked, Start start);
  void RunInSession(uint64_t id, const PeerIdentity& peer, const std::string& what, Start start);
  void Identified(uint64_t id, sd_bus_message* credentials);
  void Authorized(uint64_t id, sd_bus_message* answer);
  void Answer(uint64_t id, const absl::StatusOr<OperationView>& outcome);
  void AnswerReload(uint64_t id, const absl::StatusOr<ReloadView>& outcome);
  void AnswerDone(uint64_t id, const absl::Status& status);

  EventLoop& loop_;
  Broker& broker_;
  Scheduler& workers_;
  const std::function<void()> on_log_level_;
  std::map<uint64_t, std::unique_ptr<Call>> calls_;
  uint64_t last_id_ = 0;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_BUS_BUS_CALLS_H_
