// A PCI function's address, "0000:3a:00.0" (domain:bus:device.function), spelled as sysfs spells it.
#ifndef P2PD_DAEMON_BASE_PCI_ADDRESS_H_
#define P2PD_DAEMON_BASE_PCI_ADDRESS_H_

#include <compare>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace p2pd {

struct PciAddress {
  uint32_t domain = 0;  // 0..0xffffffff (VMD and Hyper-V use more than 16 bits)
  uint8_t bus = 0;
  uint8_t device = 0;    // 0..31
  uint8_t function = 0;  // 0..7

  auto operator<=>(const PciAddress&) const = default;

  // Accepts "DDDD:BB:DD.F" in hexadecimal, the domain of 4 to 8 digits. Errors: InvalidArgument.
  static absl::StatusOr<PciAddress> Parse(absl::string_view text);
  std::string ToString() const;

  template <typename H>
  friend H AbslHashValue(H h, const PciAddress& a) {
    return H::combine(std::move(h), a.domain, a.bus, a.device, a.function);
  }
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_BASE_PCI_ADDRESS_H_
