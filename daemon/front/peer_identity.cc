#include "daemon/front/peer_identity.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/base/process.h"

// Linux 6.5; Debian 12's headers do not have it.
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

namespace p2pd {
namespace {

absl::StatusOr<ucred> Credentials(FdRef connection) {
  ucred credentials = {};
  socklen_t size = sizeof(credentials);
  if (getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return ErrnoError("SO_PEERCRED", "a client", errno);
  }
  return credentials;
}

absl::Status Ended(pid_t pid) { return absl::UnavailableError(absl::StrCat("process ", pid, " has ended")); }

absl::StatusOr<UniqueFd> PidfdOf(FdRef connection, pid_t pid) {
  int fd = -1;
  socklen_t size = sizeof(fd);
  if (getsockopt(connection.get(), SOL_SOCKET, SO_PEERPIDFD, &fd, &size) == 0) return UniqueFd(fd);
  if (errno != ENOPROTOOPT) return errno == EMFILE ? ErrnoError("SO_PEERPIDFD", "a client", errno) : Ended(pid);
  // An older kernel: by number, a moment after the connection. Only a process that ended within that moment
  // could be mistaken for another.
  UniqueFd opened(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (opened.valid()) return opened;
  return errno == ESRCH || errno == EINVAL ? Ended(pid) : ErrnoError("pidfd_open", "a client", errno);
}

absl::StatusOr<std::vector<uint32_t>> GroupsOf(FdRef connection) {
  std::vector<gid_t> groups(32);
  while (true) {
    socklen_t size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    if (getsockopt(connection.get(), SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) == 0) {
      return std::vector<uint32_t>(groups.begin(), groups.begin() + size / sizeof(gid_t));
    }
    if (errno != ERANGE) return ErrnoError("SO_PEERGROUPS", "a client", errno);
    groups.resize(size / sizeof(gid_t));
  }
}

// "" where no security module labels sockets.
std::string LabelOf(FdRef connection) {
  std::string label(4096, '\0');
  socklen_t size = static_cast<socklen_t>(label.size());
  if (getsockopt(connection.get(), SOL_SOCKET, SO_PEERSEC, label.data(), &size) != 0) return "";
  label.resize(size);
  return label.substr(0, label.find('\0'));
}

bool HasEnded(FdRef pidfd) {
  pollfd wait = {.fd = pidfd.get(), .events = POLLIN, .revents = 0};
  return poll(&wait, 1, 0) != 0;
}

}  // namespace

absl::StatusOr<uint32_t> PeerUid(FdRef connection) {
  P2PD_ASSIGN_OR_RETURN(const ucred credentials, Credentials(connection));
  return credentials.uid;
}

absl::StatusOr<Peer> IdentifyPeer(FdRef connection) {
  P2PD_ASSIGN_OR_RETURN(const ucred credentials, Credentials(connection));
  P2PD_ASSIGN_OR_RETURN(UniqueFd pidfd, PidfdOf(connection, credentials.pid));
  P2PD_ASSIGN_OR_RETURN(std::vector<uint32_t> groups, GroupsOf(connection));
  Peer peer;
  peer.identity.subject.uid = credentials.uid;
  peer.identity.subject.gid = credentials.gid;
  peer.identity.subject.groups = std::move(groups);
  peer.identity.subject.label = LabelOf(connection);
  // 0: a process of a PID namespace that is not below ours. It has no number here, and so no name.
  if (credentials.pid > 0) {
    peer.identity.subject.unit = UnitOf(credentials.pid);
    peer.identity.subject.user_unit = UserUnitOf(credentials.pid);
    peer.identity.pid = credentials.pid;
    peer.identity.comm = CommOf(credentials.pid);
  }
  if (HasEnded(pidfd)) return Ended(credentials.pid);
  peer.pidfd = std::move(pidfd);
  return peer;
}

}  // namespace p2pd
