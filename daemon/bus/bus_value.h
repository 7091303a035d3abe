// What a property of a D-Bus object holds, as a plain value: comparable, so that it is known when it has changed,
// and written to a message by its type.
#ifndef P2PD_DAEMON_BUS_BUS_VALUE_H_
#define P2PD_DAEMON_BUS_BUS_VALUE_H_

#include <systemd/sd-bus.h>

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace p2pd {

// (utsb): index, size in bytes, "memory" or "control", whether windows of it can be exported.
struct BusBar {
  uint32_t index = 0;
  uint64_t size = 0;
  std::string kind;
  bool exportable = false;
  bool operator==(const BusBar&) const = default;
};

// (sbs): name, whether the kernel has it, details.
struct BusCapability {
  std::string name;
  bool available = false;
  std::string detail;
  bool operator==(const BusCapability&) const = default;
};

using BusValue =
    std::variant<std::string, bool, int32_t, uint32_t, uint64_t, std::vector<BusBar>, std::vector<BusCapability>>;

// D-Bus' name of the value's type: "s", "a(utsb)", ...
const char* SignatureOf(const BusValue& value);

// Appends the value; text that is not UTF-8, which a message cannot hold, is escaped. Returns sd-bus' negative errno
// where it fails.
int Append(sd_bus_message* message, const BusValue& value);
int AppendText(sd_bus_message* message, const std::string& text);

}  // namespace p2pd

#endif  // P2PD_DAEMON_BUS_BUS_VALUE_H_
