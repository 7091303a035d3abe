// Packets of the fd channel: one message each, and descriptors beside it. Every descriptor that arrives is
// owned before anything of the packet is looked at, so none can leak, whatever the peer sends.
#ifndef P2PD_CLIENT_PACKET_H_
#define P2PD_CLIENT_PACKET_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "daemon/base/unique_fd.h"

namespace p2p::internal {

// The longest message of the fd channel, in bytes.
inline constexpr size_t kMaxPacket = 4096;

struct Packet {
  std::string bytes;
  std::vector<p2pd::UniqueFd> fds;  // O_CLOEXEC
};

// Connects to a SOCK_SEQPACKET Unix socket; `timeout` also bounds every later send on it. Errors: Unavailable,
// with the errno and a hint; InvalidArgument for a path longer than a socket's may be.
absl::StatusOr<p2pd::UniqueFd> ConnectPacketSocket(absl::string_view path, absl::Duration timeout);

// The error of a failed connect() to p2pd's socket at `path`: Unavailable, with the likely cause.
absl::Status ConnectError(absl::string_view path, int error);

// Waits until a packet (or a hang-up) can be received. Errors: DeadlineExceeded.
absl::Status WaitForPacket(p2pd::FdRef socket, absl::Duration timeout);

// Waits for the next packet. Errors: Unavailable when the peer hung up; DataLoss when the packet, or the
// descriptors beside it, were more than fits (MSG_TRUNC, MSG_CTRUNC): the stream can't be trusted after that.
absl::StatusOr<Packet> ReceivePacket(p2pd::FdRef socket);

// Sends one packet, whole or not at all; any thread may. Errors: Unavailable.
absl::Status SendPacket(p2pd::FdRef socket, absl::string_view bytes, std::optional<p2pd::FdRef> fd = std::nullopt);

}  // namespace p2p::internal

#endif  // P2PD_CLIENT_PACKET_H_
