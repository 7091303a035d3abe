// Feeds the fd channel's reader with whatever comes. The first byte says how many descriptors go with it, the
// rest is the packet, which travels through a real socket. What arrives must be what was sent, what is
// accepted must be within the protocol's bounds, and no descriptor may stay open.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "absl/strings/string_view.h"
#include "daemon/front/fd_message.h"

namespace p2pd {
namespace {

constexpr size_t kMaxName = 64;

void Require(bool holds, const char* what) {
  if (holds) return;
  fprintf(stderr, "%s\n", what);
  abort();
}

struct Pair {
  Pair() {
    int fds[2];
    Require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0, "no socketpair");
    client = UniqueFd(fds[0]);
    server = UniqueFd(fds[1]);
    spare = UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC));
  }
  UniqueFd client;
  UniqueFd server;
  UniqueFd spare;
};

void Send(const Pair& pair, absl::string_view bytes, size_t fd_count) {
  iovec part = {.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(253 * sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (fd_count > 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
    const std::vector<int> fds(fd_count, pair.spare.get());
    memcpy(CMSG_DATA(header), fds.data(), fd_count * sizeof(int));
  }
  Require(sendmsg(pair.client.get(), &message, 0) == static_cast<ssize_t>(bytes.size()), "sendmsg failed");
}

void CheckAccepted(const v1::ClientFrame& frame, size_t fd_count) {
  switch (frame.frame_case()) {
    case v1::ClientFrame::kHello:
      Require(fd_count == 0, "Hello with a descriptor");
      return Require(frame.hello().client().size() <= kMaxName, "Hello with a long name");
    case v1::ClientFrame::kAckQuiesce:
      return Require(fd_count == 0, "AckQuiesce with a descriptor");
    case v1::ClientFrame::kOfferMemory:
      Require(fd_count == 1, "OfferMemory without its descriptor, or with more");
      Require(!frame.offer_memory().name().empty(), "OfferMemory without a name");
      return Require(frame.offer_memory().name().size() <= kMaxName, "OfferMemory with a long name");
    case v1::ClientFrame::kWithdrawMemory:
      Require(fd_count == 0, "WithdrawMemory with a descriptor");
      Require(!frame.withdraw_memory().name().empty(), "WithdrawMemory without a name");
      return Require(frame.withdraw_memory().name().size() <= kMaxName, "WithdrawMemory with a long name");
    case v1::ClientFrame::FRAME_NOT_SET:
      Require(false, "an empty frame was accepted");
  }
}

void Run(absl::string_view bytes, size_t fd_count) {
  static const Pair pair;
  Send(pair, bytes, fd_count);
  const int next_free = dup(pair.spare.get());
  close(next_free);
  {
    auto packet = ReceivePacket(pair.server);
    if (bytes.empty() && fd_count == 0) return Require(!packet.ok(), "an empty packet is no packet");
    Require(packet.ok() && packet->has_value(), "the packet is lost");
    Require((*packet)->fds.size() == fd_count, "descriptors are lost");
    Require((*packet)->truncated == (bytes.size() > kMaxFrameSize), "a cut is not told");
    Require((*packet)->bytes == bytes.substr(0, kMaxFrameSize), "the bytes are others");
    const auto frame = ParseClientFrame((*packet)->bytes, (*packet)->fds.size());
    if (frame.ok()) CheckAccepted(*frame, fd_count);
    if (!frame.ok()) Require(!frame.status().message().empty(), "a refusal without a reason");
  }
  const int next_free_after = dup(pair.spare.get());
  close(next_free_after);
  Require(next_free == next_free_after, "a descriptor stayed open");
}

}  // namespace
}  // namespace p2pd

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  // Mostly none or one; now and then as many as the kernel lets through.
  const size_t fd_count = data[0] < 250 ? data[0] % 4 : data[0] - 2;
  p2pd::Run(absl::string_view(reinterpret_cast<const char*>(data) + 1, size - 1), fd_count);
  return 0;
}
