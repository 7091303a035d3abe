#include "daemon/front/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "daemon/base/errors.h"

namespace p2pd {
namespace {

absl::StatusOr<sockaddr_un> AddressOf(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return ErrnoError("bind", path, ENAMETOOLONG, "a socket's path has at most 107 bytes");
  }
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  return address;
}

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83  // since Linux 6.16 [uapi/asm-generic/socket.h]
#endif

// gRPC reads its streams without asking for descriptors, so the kernel would close whatever a stranger sends
// along on gRPC's own threads, which can block. Best effort: older kernels do not have it.
void RefuseDescriptors(FdRef listening) {
  const int off = 0;
  static_cast<void>(setsockopt(listening.get(), SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off)));
}

// Removes a socket that a p2pd left behind. Nothing else is ever removed.
absl::Status RemoveStale(const std::string& path, const sockaddr_un& address, int type) {
  struct stat file = {};
  if (lstat(path.c_str(), &file) != 0) {
    return errno == ENOENT ? absl::OkStatus() : ErrnoError("lstat", path, errno);
  }
  if (!S_ISSOCK(file.st_mode)) {
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     {.reason = Reason::kKernel, .step = "bind", .object = path, .hint = "remove it, if it may go"},
                     "something that is not a socket is there");
  }
  const UniqueFd probe(socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe.valid()) return ErrnoError("socket", path, errno);
  if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 || errno == EAGAIN ||
      errno == EPROTOTYPE) {
    return ErrnoError("bind", path, EEXIST, "another p2pd listens there: stop it first");
  }
  if (errno != ECONNREFUSED) return ErrnoError("connect", path, errno);
  if (unlink(path.c_str()) != 0) return ErrnoError("unlink", path, errno);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<UniqueFd> ListenAt(const std::string& path, int type) {
  P2PD_ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(path));
  P2PD_RETURN_IF_ERROR(RemoveStale(path, address, type));
  UniqueFd listening(socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listening.valid()) return ErrnoError("socket", path, errno);
  if (bind(listening.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return ErrnoError("bind", path, errno, "does its folder exist, and may p2pd write there?");
  }
  // Nobody can connect before listen(), so whatever the umask left is put right in time.
  if (chmod(path.c_str(), 0666) != 0) return ErrnoError("chmod", path, errno);
  if (type == SOCK_STREAM) RefuseDescriptors(listening);
  if (listen(listening.get(), SOMAXCONN) != 0) return ErrnoError("listen", path, errno);
  return listening;
}

absl::StatusOr<UniqueFd> CheckListening(UniqueFd socket, int type) {
  const int r = sd_is_socket_unix(socket.get(), type, /*listening=*/1, nullptr, 0);
  if (r < 0) return ErrnoError("sd_is_socket_unix", "the inherited socket", -r);
  if (r == 0) {
    return MakeError(absl::StatusCode::kInvalidArgument,
                     {.reason = Reason::kInvalidArgument,
                      .step = "listen",
                      .object = "the inherited socket",
                      .hint = "the socket unit needs ListenSequentialPacket= for \"fds\", ListenStream= for \"grpc\""},
                     "is not a listening Unix socket of the right type");
  }
  const int flags = fcntl(socket.get(), F_GETFL);
  if (flags < 0 || fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
    return ErrnoError("fcntl", "the inherited socket", errno);
  }
  if (type == SOCK_STREAM) RefuseDescriptors(socket);
  return socket;
}

}  // namespace p2pd
