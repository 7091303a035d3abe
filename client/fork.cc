#include "client/fork.h"

#include <unistd.h>

#include <atomic>

#include "daemon/base/errors.h"

namespace p2p::internal {

absl::Status BeforeGrpc() {
  // The process whose gRPC this is; a fact about the process, and therefore its own.
  static std::atomic<pid_t> owner = 0;
  pid_t nobody = 0;
  const pid_t self = getpid();
  if (owner.compare_exchange_strong(nobody, self) || nobody == self) return absl::OkStatus();
  return p2pd::MakeError(absl::StatusCode::kFailedPrecondition,
                         {.step = "connect to p2pd", .hint = "exec after the fork, or fork before the first session"},
                         "this process was forked from one that had a session");
}

}  // namespace p2p::internal
