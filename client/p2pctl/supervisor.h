// Between p2pd and a command that runs with descriptors of p2pd's: tells the command when to stop its DMA, p2pd
// when it has stopped, and forwards signals, until the command ends.
#ifndef P2PD_CLIENT_P2PCTL_SUPERVISOR_H_
#define P2PD_CLIENT_P2PCTL_SUPERVISOR_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/p2pctl/child_process.h"
#include "client/p2pctl/context.h"
#include "client/p2pctl/notify_socket.h"
#include "client/p2pctl/session_news.h"
#include "client/p2pctl/signals.h"

namespace p2p::ctl {

// What the command holds.
struct Grants {
  std::vector<Export> windows;  // RAW
  std::vector<Device> devices;
};

class Supervisor {
 public:
  // `cooperates`: the command takes SIGUSR1 and SIGUSR2, and answers. All but `context` are borrowed as long.
  Supervisor(Context& context, Grants& grants, bool cooperates);

  // Until the command has ended; its exit status, as shells tell it. A command whose session ends gets SIGTERM.
  int Supervise(ChildProcess& command, Signals& signals, SessionNews& news, NotifySocket& notify);
  // OK, or why the session ended before the command did.
  const absl::Status& session_ended() const { return session_ended_; }

 private:
  void Tell(const ChildProcess& command, News news);
  void StopOf(const ChildProcess& command, QuiesceRequest request);
  // `device` can be used again, or set up again: the command goes on once that is so of all it was stopped for.
  void GoOn(const ChildProcess& command, const std::string& device);
  void Hear(const std::vector<std::string>& lines);
  bool Holds(const std::string& device) const;

  Context& context_;
  Grants& grants_;
  const bool cooperates_;
  // Of each driven device: the one that its next READY=1 is about.
  std::map<std::string, uint64_t> generations_;
  std::vector<QuiesceRequest> unanswered_;
  std::set<std::string> stopped_for_;  // devices, since the last SIGUSR2
  absl::Status session_ended_;
};

}  // namespace p2p::ctl

#endif  // P2PD_CLIENT_P2PCTL_SUPERVISOR_H_
