#include "daemon/helper/config_server.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/base/pci_address.h"
#include "daemon/helper/config_protocol.h"

namespace p2pd {
namespace {

absl::Status CheckAsker(FdRef connection, uid_t asker) {
  int type = 0;
  socklen_t size = sizeof(type);
  if (getsockopt(connection.get(), SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET) {
    return absl::InvalidArgumentError("this is not a connection of p2pd-config.socket's, which starts p2pd-config");
  }
  ucred peer = {};
  size = sizeof(peer);
  if (getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return ErrnoError("getsockopt(SO_PEERCRED)", "", errno);
  }
  if (peer.uid == asker) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat("uid ", peer.uid, " may not ask p2pd-config"));
}

std::string Reply(int error, absl::string_view bytes = "") {
  const ConfigReplyHeader header = {.error = error};
  return absl::StrCat(absl::string_view(reinterpret_cast<const char*>(&header), sizeof(header)), bytes);
}

// Appends up to `size` bytes from where `bytes` ends. Returns an errno.
int Read(FdRef config, size_t size, std::string& bytes) {
  std::array<char, kMaxConfigSpace> buffer;
  while (size > 0) {
    const ssize_t got = pread(config.get(), buffer.data(), size, static_cast<off_t>(bytes.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) break;
    bytes.append(buffer.data(), got);
    size -= got;
  }
  return 0;
}

bool IsBridge(absl::string_view header) {
  return (header[PCI_HEADER_TYPE] & 0x7f) == PCI_HEADER_TYPE_BRIDGE;  // 0x80: of several functions
}

bool IsVfios(FdRef folder) { return faccessat(folder.get(), "vfio-dev", F_OK, 0) == 0; }

}  // namespace

std::string AnswerConfig(absl::string_view request, const std::string& sysfs_root) {
  const auto address = PciAddress::Parse(request);
  if (!address.ok() || address->ToString() != request) return Reply(EINVAL);
  const std::string path = absl::StrCat(sysfs_root, "/bus/pci/devices/", address->ToString());
  const UniqueFd folder(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid()) return Reply(errno);
  const UniqueFd config(openat(folder.get(), "config", O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!config.valid()) return Reply(errno);
  std::string bytes;
  if (const int error = Read(config, PCI_STD_HEADER_SIZEOF, bytes); error != 0) return Reply(error);
  if (bytes.size() < PCI_STD_HEADER_SIZEOF) return Reply(EIO);
  if (!IsBridge(bytes) && !IsVfios(folder)) return Reply(EPERM);
  if (const int error = Read(config, kMaxConfigSpace - bytes.size(), bytes); error != 0) return Reply(error);
  return Reply(0, bytes);
}

absl::Status ServeConfig(FdRef connection, const std::string& sysfs_root, uid_t asker) {
  P2PD_RETURN_IF_ERROR(CheckAsker(connection, asker));
  std::array<char, kMaxConfigRequest + 1> request;  // a longer packet is cut, and still no address
  for (;;) {
    const ssize_t size = recv(connection.get(), request.data(), request.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size == 0 || (size < 0 && errno == ECONNRESET)) return absl::OkStatus();
    if (size < 0) return ErrnoError("recv", "", errno);
    const std::string reply = AnswerConfig(absl::string_view(request.data(), size), sysfs_root);
    if (send(connection.get(), reply.data(), reply.size(), MSG_NOSIGNAL) >= 0) continue;
    if (errno == EPIPE || errno == ECONNRESET) return absl::OkStatus();
    return ErrnoError("send", "", errno);
  }
}

}  // namespace p2pd
