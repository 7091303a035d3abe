// Listening Unix sockets: bound to a path by p2pd itself, or passed by the service manager. Everybody may
// connect; what a client may then do is up to policy.
#ifndef P2PD_DAEMON_FRONT_UNIX_SOCKET_H_
#define P2PD_DAEMON_FRONT_UNIX_SOCKET_H_

#include <string>

#include "absl/status/statusor.h"
#include "daemon/base/unique_fd.h"

namespace p2pd {

// Listens at `path`, mode 0666; the folder must exist. `type` is SOCK_STREAM or SOCK_SEQPACKET. A socket file
// that nobody listens at any more is replaced. Errors: AlreadyExists (somebody listens there),
// FailedPrecondition (something else than a socket is there), InvalidArgument (the path is too long).
absl::StatusOr<UniqueFd> ListenAt(const std::string& path, int type);

// `socket`, if it is a listening Unix socket of that type; InvalidArgument else.
absl::StatusOr<UniqueFd> CheckListening(UniqueFd socket, int type);

}  // namespace p2pd

#endif  // P2PD_DAEMON_FRONT_UNIX_SOCKET_H_
