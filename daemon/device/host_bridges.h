// Whether a host bridge passes requests from one device to another: the kernel asks the processor, and else a list
// of those that are known to (drivers/pci/p2pdma.c:cpu_supports_p2pdma, pci_p2pdma_whitelist), and so does p2pd.
#ifndef P2PD_DAEMON_DEVICE_HOST_BRIDGES_H_
#define P2PD_DAEMON_DEVICE_HOST_BRIDGES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "daemon/base/pci_address.h"
#include "daemon/device/pci_tree.h"

namespace p2pd {

struct Cpu {
  std::string vendor;  // "AuthenticAMD"; "" where the architecture has no such word
  int family = 0;
};

// The first processor of /proc/cpuinfo, or a file like it; nothing if it cannot be read.
std::optional<Cpu> ReadCpu(const std::string& cpuinfo);

enum class Trust {
  kUnknown = 0,       // what decides could not be read
  kGood,              // also towards other good ones
  kGoodWithinItself,  // between two devices below it
  kNotListed,
};

struct HostBridge {
  std::string name;                    // of its root bus: "pci0000:00"
  std::optional<PciAddress> known_by;  // the function whose ids the kernel looks up; none if there is no such one
  uint16_t vendor = 0;                 // these ids
  uint16_t device = 0;
  int numa_node = -1;
  Trust trust = Trust::kUnknown;
  std::string reason;  // "8086:2020 at 0000:00:00.0 is on the kernel's list of host bridges that pass ..."
};

// Every host bridge that has a function below it, by name.
std::map<std::string, HostBridge> JudgeHostBridges(const PciTree& tree, const std::optional<Cpu>& cpu);

}  // namespace p2pd

#endif  // P2PD_DAEMON_DEVICE_HOST_BRIDGES_H_
