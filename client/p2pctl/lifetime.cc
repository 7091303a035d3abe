#include "client/p2pctl/lifetime.h"

#include <poll.h>
#include <sys/timerfd.h>

#include <cerrno>

#include "daemon/base/errors.h"

namespace p2p::ctl {

absl::StatusOr<Lifetime> Lifetime::Begin(absl::Duration time_to_live) {
  p2pd::UniqueFd timer(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer.valid()) return p2pd::ErrnoError("timerfd_create", "time to live", errno);
  Lifetime lifetime(std::move(timer), time_to_live);
  lifetime.BeginAnew();
  return lifetime;
}

void Lifetime::BeginAnew() {
  if (time_to_live_ == absl::InfiniteDuration()) return;
  const itimerspec once = {.it_interval = {}, .it_value = absl::ToTimespec(time_to_live_)};
  timerfd_settime(timer_.get(), 0, &once, nullptr);
}

bool Lifetime::is_over() const {
  pollfd look = {.fd = timer_.get(), .events = POLLIN};
  return poll(&look, 1, 0) == 1;
}

}  // namespace p2p::ctl
