// What p2pd and p2pd-config say to each other, in packets of a SOCK_SEQPACKET socket on one machine: a request is a
// PCI address as text, "0000:3a:00.0"; its reply an errno, 0 for none, and then the function's configuration space.
#ifndef P2PD_DAEMON_HELPER_CONFIG_PROTOCOL_H_
#define P2PD_DAEMON_HELPER_CONFIG_PROTOCOL_H_

#include <cstddef>
#include <cstdint>

namespace p2pd {

constexpr size_t kMaxConfigRequest = sizeof("ffffffff:ff:1f.7") - 1;
constexpr size_t kMaxConfigSpace = 4096;

// How a reply begins, in the machine's byte order.
struct ConfigReplyHeader {
  int32_t error = 0;
};
constexpr size_t kMaxConfigReply = sizeof(ConfigReplyHeader) + kMaxConfigSpace;

}  // namespace p2pd

#endif  // P2PD_DAEMON_HELPER_CONFIG_PROTOCOL_H_
