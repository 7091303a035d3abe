// gRPC 1.51 and fork(): a child shares its parent's epoll sets, so that whoever uses gRPC there wakes, and crashes, the
// other. (Its own support for fork is not enough: seen to fail while parent and child both make calls.) So a process
// that was forked from one which has used gRPC does not use it; after exec, or if nobody had, all is well.
#ifndef P2PD_CLIENT_FORK_H_
#define P2PD_CLIENT_FORK_H_

#include "absl/status/status.h"

namespace p2p::internal {

// To be called before gRPC is. Errors: FailedPrecondition, this process is a child of one that called it.
absl::Status BeforeGrpc();

}  // namespace p2p::internal

#endif  // P2PD_CLIENT_FORK_H_
