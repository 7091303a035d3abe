#include "daemon/device/host_bridges.h"

#include <algorithm>
#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace p2pd {
namespace {

constexpr uint16_t kIntel = 0x8086;
constexpr uint16_t kGoogle = 0x1ae0;
constexpr uint16_t kNvidia = 0x10de;
constexpr int kAnyDevice = -1;

struct Listed {
  uint16_t vendor;
  int device;
  Trust trust = Trust::kGood;
};

// drivers/pci/p2pdma.c:pci_p2pdma_whitelist of Linux 7.3.
constexpr Listed kListed[] = {
    {kIntel, 0x3c00, Trust::kGoodWithinItself},  // Xeon E5
    {kIntel, 0x3c01, Trust::kGoodWithinItself},
    {kIntel, 0x2f00, Trust::kGoodWithinItself},  // Xeon E7 v3, E5 v3
    {kIntel, 0x2f01, Trust::kGoodWithinItself},
    {kIntel, 0x2020},  // Sky Lake-E
    {kIntel, 0x2030},
    {kIntel, 0x2031},
    {kIntel, 0x2032},
    {kIntel, 0x2033},
    {kIntel, 0x09a2},
    {kIntel, 0x0b25},  // root buses whose first function is an accelerator: DSA, IAX, QAT
    {kIntel, 0x0cfe},
    {kIntel, 0x11fb},
    {kIntel, 0x1212},
    {kIntel, 0x1216},
    {kIntel, 0x4940},
    {kIntel, 0x4942},
    {kIntel, 0x4944},
    {kIntel, 0x4946},
    {kIntel, 0x4948},
    {kGoogle, kAnyDevice},
    {kNvidia, 0x2f95},
    {kNvidia, 0x2f96},
    {kNvidia, 0x2f97},
    {kNvidia, 0x2f98},
};

Trust LookUp(const PciFunction& function) {
  for (const Listed& listed : kListed) {
    if (listed.vendor == function.vendor && (listed.device == kAnyDevice || listed.device == function.device)) {
      return listed.trust;
    }
  }
  return Trust::kNotListed;
}

// drivers/pci/p2pdma.c:cpu_supports_p2pdma: AMD's Zen and later.
bool PassesEverything(const Cpu& cpu) { return cpu.vendor == "AuthenticAMD" && cpu.family >= 0x17; }

// The first function of the root bus. The kernel takes the head of its list, which is in the order of discovery;
// sysfs does not show that order. Enumeration goes by device and function number, virtual functions come last.
const PciFunction* FirstOn(const PciTree& tree, const std::string& root_bus) {
  for (const auto& [address, function] : tree.functions) {
    const bool on_it = !function.upstream.has_value() && function.root_bus == root_bus;
    if (on_it && !function.physical_function.has_value()) return &function;
  }
  return nullptr;
}

// drivers/pci/p2pdma.c:pci_host_bridge_dev, __host_bridge_whitelist.
HostBridge LookUp(const PciTree& tree, const std::string& root_bus) {
  HostBridge bridge = {.name = root_bus, .trust = Trust::kNotListed};
  const PciFunction* const first = FirstOn(tree, root_bus);
  if (first == nullptr) {
    bridge.reason = "no function on its root bus tells what it is";
    return bridge;
  }
  bridge.numa_node = first->numa_node;
  const std::string address = first->address.ToString();
  const bool at_zero = first->address.device == 0 && first->address.function == 0;
  if (!at_zero && first->config.port == PortType::kUnknown) {
    bridge.trust = Trust::kUnknown;
    bridge.reason = absl::StrCat("whether ", address, " is a root port is unknown: its ", first->config.problem);
    return bridge;
  }
  if (!at_zero && first->config.port != PortType::kRootPort) {
    bridge.reason = absl::StrCat("the first function of its root bus, ", address,
                                 ", is neither 00.0 nor a root port: the kernel has nothing to look it up by");
    return bridge;
  }
  bridge.known_by = first->address;
  bridge.vendor = first->vendor;
  bridge.device = first->device;
  bridge.trust = LookUp(*first);
  bridge.reason = absl::StrFormat("%04x:%04x at %s is ", first->vendor, first->device, address);
  switch (bridge.trust) {
    case Trust::kGood:
      absl::StrAppend(&bridge.reason, "on the kernel's list of host bridges that pass peer-to-peer requests");
      break;
    case Trust::kGoodWithinItself:
      absl::StrAppend(&bridge.reason, "on the kernel's list of host bridges, for devices below the same one only");
      break;
    case Trust::kNotListed:
    case Trust::kUnknown:
      absl::StrAppend(&bridge.reason, "not on the kernel's list of host bridges that pass peer-to-peer requests");
      break;
  }
  return bridge;
}

}  // namespace

std::optional<Cpu> ReadCpu(const std::string& cpuinfo) {
  std::ifstream file(cpuinfo);
  if (!file) return std::nullopt;
  Cpu cpu;
  // Processors are told apart by an empty line.
  for (std::string line; std::getline(file, line) && !line.empty();) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const absl::string_view key = absl::StripAsciiWhitespace(absl::string_view(line).substr(0, colon));
    const absl::string_view value = absl::StripAsciiWhitespace(absl::string_view(line).substr(colon + 1));
    if (key == "vendor_id") cpu.vendor = std::string(value);
    if (key == "cpu family" && !absl::SimpleAtoi(value, &cpu.family)) cpu.family = 0;
  }
  return cpu;
}

std::map<std::string, HostBridge> JudgeHostBridges(const PciTree& tree, const std::optional<Cpu>& cpu) {
  std::map<std::string, HostBridge> bridges;
  for (const auto& [address, function] : tree.functions) {
    if (bridges.contains(function.root_bus)) continue;
    HostBridge bridge = LookUp(tree, function.root_bus);
    if (cpu.has_value() && PassesEverything(*cpu)) {
      bridge.trust = Trust::kGood;
      bridge.reason =
          "the processor is AMD's of family 0x17 or later, whose host bridges all pass peer-to-peer requests";
    }
    if (!cpu.has_value() && bridge.trust != Trust::kGood) {
      bridge.trust = Trust::kUnknown;
      absl::StrAppend(&bridge.reason, ", and what processor this is could not be read");
    }
    bridges[function.root_bus] = std::move(bridge);
  }
  return bridges;
}

}  // namespace p2pd
