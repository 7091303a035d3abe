// What fork() does to gRPC, which the library calls through. gRPC survives it, in the child too, if its own fork
// support was on when it started and nobody was inside it at that moment; else its state in the child is shared
// with the parent, and using it crashes either. This file turns the support on, counts who is inside, and knows.
#ifndef P2PD_CLIENT_FORK_H_
#define P2PD_CLIENT_FORK_H_

#include "absl/status/status.h"

namespace p2p::internal {

// Stands for a thread that is inside gRPC.
class InsideGrpc {
 public:
  InsideGrpc();
  ~InsideGrpc();
  InsideGrpc(const InsideGrpc&) = delete;
  InsideGrpc& operator=(const InsideGrpc&) = delete;
};

// Whether a session can be opened in this process. Errors: FailedPrecondition, it was forked at a bad moment.
absl::Status CheckFork();

}  // namespace p2p::internal

#endif  // P2PD_CLIENT_FORK_H_
