// One packet of the fd channel: a frame of at most 4 KiB and the descriptors beside it.
//
// Invariant: whatever descriptors the kernel gave us are owned before a byte of the packet is looked at.
// Whoever holds a Packet decides where they are closed: closing what a stranger sent can block.
#ifndef P2PD_DAEMON_FRONT_FD_MESSAGE_H_
#define P2PD_DAEMON_FRONT_FD_MESSAGE_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/base/unique_fd.h"
#include "proto/p2pd/v1/fd_channel.pb.h"

namespace p2pd {

constexpr size_t kMaxFrameSize = 4096;

struct Packet {
  std::string bytes;
  std::vector<UniqueFd> fds;
  bool truncated = false;  // the packet, or its list of descriptors, did not fit
};

// The next packet, or nothing when none has come. Never blocks. Errors: Unavailable (the peer hung up).
// A packet without bytes and descriptors cannot be told from a hang-up, and counts as one.
absl::StatusOr<std::optional<Packet>> ReceivePacket(FdRef socket);

enum class SendResult {
  kSent,
  kFull,  // no room now (or too many descriptors on their way)
  kGone,  // the peer hung up
};

// Never blocks. `fd` travels with the frame unless it is -1.
SendResult SendPacket(FdRef socket, absl::string_view bytes, FdRef fd = FdRef(-1));

// Hangs up for good. What the peer has sent is read and dropped first: with that unread, the peer would be
// told ECONNRESET before the last frame that was sent to it. May block, as it closes what came with it.
void CloseChannel(UniqueFd socket);

// What a client may say: OfferMemory with exactly one descriptor, everything else with none. Pure. Errors:
// InvalidArgument, in a sentence that the client is told.
absl::StatusOr<v1::ClientFrame> ParseClientFrame(absl::string_view bytes, size_t fd_count);

}  // namespace p2pd

#endif  // P2PD_DAEMON_FRONT_FD_MESSAGE_H_
