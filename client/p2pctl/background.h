// p2pctl going on in the background: one process holds what was asked for, the other tells whoever asked how
// that went.
#ifndef P2PD_CLIENT_P2PCTL_BACKGROUND_H_
#define P2PD_CLIENT_P2PCTL_BACKGROUND_H_

#include <sys/types.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/base/unique_fd.h"

namespace p2p::ctl {

class Background {
 public:
  // Returns twice, in two processes. Before the first thread: the new process has the calling one only. The new
  // one leads a session of its own and keeps no descriptor but stdio.
  static absl::StatusOr<Background> Fork();

  bool is_holder() const { return holder_ == 0; }
  pid_t holder() const { return holder_; }  // 0 in the holder

  // The holder: it has what was asked for, and has said so. Lets go of stdio. Errors: Cancelled, nobody waits
  // for it any more.
  absl::Status Detach();

  // The other: waits until the holder has detached, and returns 0, or until it has ended, and returns its exit
  // status.
  int AwaitHolder();

 private:
  Background(pid_t holder, p2pd::UniqueFd socket) : holder_(holder), socket_(std::move(socket)) {}

  pid_t holder_;  // 0 in the holder
  p2pd::UniqueFd socket_;
};

}  // namespace p2p::ctl

#endif  // P2PD_CLIENT_P2PCTL_BACKGROUND_H_
