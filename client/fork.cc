#include "client/fork.h"

#include <pthread.h>
#include <stdlib.h>

#include <atomic>

#include "daemon/base/errors.h"
#include "grpc/grpc.h"

namespace p2p::internal {
namespace {

// Facts about the process, and therefore its own.
constinit std::atomic<int> inside = 0;
constinit std::atomic<bool> used = false;
constinit std::atomic<bool> fork_support = false;
constinit std::atomic<bool> unusable = false;

// Alone here: the threads that were inside are the parent's.
void AfterForkInChild() {
  if (inside.exchange(0) > 0 || (used && !fork_support)) unusable = true;
}

// Before any code of the program: gRPC looks at its environment when it starts, and threads may read it later.
[[gnu::constructor(101)]] void BeforeGrpcStarts() {
  const char* chosen = getenv("GRPC_ENABLE_FORK_SUPPORT");
  if (chosen == nullptr && grpc_is_initialized() == 0) {
    setenv("GRPC_ENABLE_FORK_SUPPORT", "1", 0);
    chosen = "1";
  }
  fork_support = chosen != nullptr && (*chosen == '1' || *chosen == 't' || *chosen == 'y');
  pthread_atfork(nullptr, nullptr, AfterForkInChild);
}

}  // namespace

InsideGrpc::InsideGrpc() {
  used = true;
  ++inside;
}

InsideGrpc::~InsideGrpc() { --inside; }

absl::Status CheckFork() {
  if (!unusable) return absl::OkStatus();
  return p2pd::MakeError(absl::StatusCode::kFailedPrecondition,
                         {.step = "connect to p2pd", .hint = "exec after the fork, or fork while no call is under way"},
                         "this process was forked while a thread was in a call, an event stream's included");
}

}  // namespace p2p::internal
