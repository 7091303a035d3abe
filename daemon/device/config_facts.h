// What a function's configuration space says about its place in the hierarchy: what kind of port it is, whether
// it redirects peer-to-peer requests (ACS), whether it translates addresses itself (ATS), how large its packets
// are. Parsed from the bytes of sysfs's `config`, which the kernel cuts short for readers without CAP_SYS_ADMIN:
// what nobody read is unknown, never absent.
#ifndef P2PD_DAEMON_DEVICE_CONFIG_FACTS_H_
#define P2PD_DAEMON_DEVICE_CONFIG_FACTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace p2pd {

enum class PortType {
  kUnknown = 0,
  kConventional,  // no PCI Express
  kEndpoint,      // or anything else that is no port
  kRootPort,
  kUpstreamPort,    // of a switch
  kDownstreamPort,  // of a switch
  kBridge,          // between PCI Express and PCI, either way
};

enum class Presence { kUnknown = 0, kAbsent, kPresent };

struct ConfigFacts {
  PortType port = PortType::kUnknown;
  Presence acs = Presence::kUnknown;
  uint16_t acs_control = 0;  // where `acs` is present
  Presence ats = Presence::kUnknown;
  bool ats_enabled = false;
  uint32_t max_payload = 0;  // bytes, as DevCtl has it; 0: unknown, or no PCI Express
  bool cut_short = false;    // something is unknown that lies beyond what was read
  std::string problem;  // why something is unknown, as in "0000:00:01.0's configuration space ..."; "" if nothing is

  // drivers/pci/p2pdma.c:pci_bridge_has_acs_redir.
  bool redirects() const;
};

// The redirecting bits that are set, as the PCI Express specification abbreviates them: "RR", "CR", "EC".
std::vector<std::string> AcsRedirectBits(uint16_t control);

// `bytes` is all that could be read.
ConfigFacts ParseConfig(absl::string_view bytes);

// `own` is cut short, after the header; `whole` is what somebody else read, and believed only if it is of the same
// function, as far as the header tells, and complete. Otherwise the problem says what is wrong with it.
ConfigFacts ParseConfig(absl::string_view own, const absl::StatusOr<std::string>& whole);

}  // namespace p2pd

#endif  // P2PD_DAEMON_DEVICE_CONFIG_FACTS_H_
