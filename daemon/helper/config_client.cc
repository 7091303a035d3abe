#include "daemon/helper/config_client.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "daemon/base/errors.h"
#include "daemon/base/unique_fd.h"
#include "daemon/helper/config_protocol.h"

namespace p2pd {
namespace {

constexpr char kStep[] = "ask p2pd-config";

absl::Status Error(absl::StatusCode code, absl::string_view object, absl::string_view what) {
  return MakeError(code, {.step = kStep, .object = std::string(object)}, what);
}

absl::StatusOr<UniqueFd> Connect(const std::string& path) {
  sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
  if (path.size() >= sizeof(address.sun_path)) return ErrnoError(kStep, path, ENAMETOOLONG);
  memcpy(address.sun_path, path.data(), path.size());
  UniqueFd connection(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!connection.valid()) return ErrnoError(kStep, path, errno);
  if (connect(connection.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return ErrnoError(kStep, path, errno, "does p2pd-config.socket listen there?");
  }
  return connection;
}

// What the one who is asked has to say before `deadline`.
absl::StatusOr<std::string> Receive(FdRef connection, const std::string& path, absl::Time deadline) {
  std::array<char, kMaxConfigReply + 1> reply;
  for (;;) {
    pollfd readable = {.fd = connection.get(), .events = POLLIN, .revents = 0};
    const auto left = std::max(deadline - absl::Now(), absl::ZeroDuration());
    const int ready =
        poll(&readable, 1, static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(left, absl::Milliseconds(1)))));
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return ErrnoError(kStep, path, errno);
    if (ready == 0) return Error(absl::StatusCode::kDeadlineExceeded, path, "it does not answer");
    const ssize_t size = recv(connection.get(), reply.data(), reply.size(), 0);
    if (size < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (size < 0) return ErrnoError(kStep, path, errno);
    if (size == 0) return Error(absl::StatusCode::kUnavailable, path, "it has hung up");
    return std::string(reply.data(), size);
  }
}

// What a reply comes to.
absl::StatusOr<std::string> SpaceIn(const std::string& reply, const PciAddress& function) {
  ConfigReplyHeader header;
  if (reply.size() < sizeof(header) || reply.size() > kMaxConfigReply) {
    return Error(absl::StatusCode::kInternal, function.ToString(), absl::StrCat("a reply of ", reply.size(), " bytes"));
  }
  memcpy(&header, reply.data(), sizeof(header));
  if (header.error == 0) return reply.substr(sizeof(header));
  if (header.error == EPERM) {
    return Error(absl::StatusCode::kFailedPrecondition, function.ToString(),
                 "it reads only bridges and VFIO's devices");
  }
  return ErrnoError(kStep, function.ToString(), header.error);
}

}  // namespace

std::vector<absl::StatusOr<std::string>> ConfigClient::Read(const std::vector<PciAddress>& functions) const {
  const absl::Time deadline = absl::Now() + patience_;
  const auto connection = Connect(socket_);
  absl::Status broken = connection.status();
  std::vector<absl::StatusOr<std::string>> spaces;
  for (const PciAddress& function : functions) {
    const std::string request = function.ToString();
    if (broken.ok() && send(connection->get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) {
      broken = ErrnoError(kStep, socket_, errno);
    }
    absl::StatusOr<std::string> reply = broken.ok() ? Receive(*connection, socket_, deadline) : broken;
    if (!reply.ok()) broken = reply.status();
    spaces.push_back(reply.ok() ? SpaceIn(*reply, function) : reply.status());
  }
  return spaces;
}

}  // namespace p2pd
