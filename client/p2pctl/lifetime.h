// When a time to live is over, as something to wait for. The clock is the kernel's: changing the time of day does
// not touch it.
#ifndef P2PD_CLIENT_P2PCTL_LIFETIME_H_
#define P2PD_CLIENT_P2PCTL_LIFETIME_H_

#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/base/unique_fd.h"

namespace p2p::ctl {

class Lifetime {
 public:
  // Infinite: it is never over.
  static absl::StatusOr<Lifetime> Begin(absl::Duration time_to_live);

  // From now on, as long as at first.
  void BeginAnew();
  // Readable once it is over.
  p2pd::FdRef fd() const { return timer_; }
  bool is_over() const;

 private:
  Lifetime(p2pd::UniqueFd timer, absl::Duration time_to_live) : timer_(std::move(timer)), time_to_live_(time_to_live) {}

  p2pd::UniqueFd timer_;
  absl::Duration time_to_live_;
};

}  // namespace p2p::ctl

#endif  // P2PD_CLIENT_P2PCTL_LIFETIME_H_
