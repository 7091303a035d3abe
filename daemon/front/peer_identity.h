// Who is at the other end of a connection, by the kernel's word alone: nothing here comes from the peer.
//
// What is read under /proc by number is believed only because the pidfd says afterwards that the process
// still lives, so that the number was its own all along.
#ifndef P2PD_DAEMON_FRONT_PEER_IDENTITY_H_
#define P2PD_DAEMON_FRONT_PEER_IDENTITY_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "daemon/base/unique_fd.h"
#include "daemon/core/types.h"

namespace p2pd {

struct Peer {
  PeerIdentity identity;  // `client` is still empty
  UniqueFd pidfd;         // of the process that connected; readable once it has ended
};

// Errors: Unavailable (the process has ended), or the kernel's.
absl::StatusOr<Peer> IdentifyPeer(FdRef connection);

// Only the user, which is all that a limit needs.
absl::StatusOr<uint32_t> PeerUid(FdRef connection);

}  // namespace p2pd

#endif  // P2PD_DAEMON_FRONT_PEER_IDENTITY_H_
