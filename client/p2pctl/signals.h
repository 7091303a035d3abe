// Signals as something to wait for: blocked in the calling thread, and in the threads that it starts later, and
// read from a descriptor. Make it before the first thread.
#ifndef P2PD_CLIENT_P2PCTL_SIGNALS_H_
#define P2PD_CLIENT_P2PCTL_SIGNALS_H_

#include <signal.h>

#include <initializer_list>
#include <optional>

#include "absl/status/statusor.h"
#include "daemon/base/unique_fd.h"

namespace p2p::ctl {

class Signals {
 public:
  struct Signal {
    int number = 0;
    // Typed at the terminal, which sends it to its whole foreground group.
    bool from_terminal = false;
  };

  static absl::StatusOr<Signals> Block(std::initializer_list<int> numbers);

  // Becomes readable with the first signal.
  p2pd::FdRef fd() const { return fd_; }
  // nullopt: there is none.
  std::optional<Signal> Take();
  // As it was before: for a process that is started from here.
  const sigset_t& old_mask() const { return old_mask_; }

 private:
  Signals(p2pd::UniqueFd fd, sigset_t old_mask) : fd_(std::move(fd)), old_mask_(old_mask) {}

  p2pd::UniqueFd fd_;
  sigset_t old_mask_;
};

}  // namespace p2p::ctl

#endif  // P2PD_CLIENT_P2PCTL_SIGNALS_H_
