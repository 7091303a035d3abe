#include "client/p2pctl/signals.h"

#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>

#include "daemon/base/errors.h"

namespace p2p::ctl {

absl::StatusOr<Signals> Signals::Block(std::initializer_list<int> numbers) {
  sigset_t wanted;
  sigemptyset(&wanted);
  for (const int number : numbers) sigaddset(&wanted, number);
  sigset_t old_mask;
  if (const int error = pthread_sigmask(SIG_BLOCK, &wanted, &old_mask); error != 0) {
    return p2pd::ErrnoError("pthread_sigmask", "signals", error);
  }
  p2pd::UniqueFd fd(signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) return p2pd::ErrnoError("signalfd", "signals", errno);
  return Signals(std::move(fd), old_mask);
}

std::optional<Signals::Signal> Signals::Take() {
  signalfd_siginfo info = {};
  if (read(fd_.get(), &info, sizeof(info)) != sizeof(info)) return std::nullopt;
  return Signal{.number = static_cast<int>(info.ssi_signo), .from_terminal = info.ssi_code == SI_KERNEL};
}

}  // namespace p2p::ctl
