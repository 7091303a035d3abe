#include "daemon/kernel/sim/hierarchy_spec.h"

#include <linux/pci_regs.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"

namespace p2pd::sim {
namespace {

using p2pd::v1::SimulatedBridge;
using p2pd::v1::SimulatedHostBridge;

using Bus = std::pair<uint32_t, uint8_t>;  // with its domain

// As the kernel sets it up: devices behind different ports are then in different IOMMU groups.
constexpr uint16_t kAllAcs = PCI_ACS_SV | PCI_ACS_RR | PCI_ACS_CR | PCI_ACS_UF;

absl::Status Unsound(const std::string& object, absl::string_view what) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   {.reason = Reason::kInvalidArgument,
                    .step = "simulation",
                    .object = object,
                    .hint = "simulation.proto describes machine files"},
                   what);
}

Bus BusOf(const PciAddress& address) { return {address.domain, address.bus}; }

class Builder {
 public:
  explicit Builder(absl::Span<const DeviceSpec> devices) : devices_(devices) {
    for (const DeviceSpec& device : devices) taken_.insert(device.address);
  }

  absl::Status AddHostBridge(const SimulatedHostBridge& host) {
    const std::string name = absl::StrCat("host bridge of bus ", host.bus());
    if (host.bus() > 255 || host.vendor_id() > 0xffff || host.device_id() > 0xffff) {
      return Unsound(name, "a bus has 8 bits, vendor_id and device_id 16");
    }
    return Add(HostBridgeSpec{.address = {.domain = host.domain(), .bus = static_cast<uint8_t>(host.bus())},
                              .vendor = static_cast<uint16_t>(host.vendor_id()),
                              .device = static_cast<uint16_t>(host.device_id()),
                              .numa_node = host.numa_node()});
  }

  absl::Status AddBridge(const SimulatedBridge& bridge) {
    const absl::StatusOr<PciAddress> address = PciAddress::Parse(bridge.bdf());
    if (!address.ok()) return Unsound(bridge.bdf(), "bdf is not of the form 0000:01:00.0");
    if (bridge.vendor_id() > 0xffff || bridge.device_id() > 0xffff || bridge.acs_control() > 0x7f) {
      return Unsound(bridge.bdf(), "vendor_id and device_id have 16 bits, acs_control 7");
    }
    if (bridge.secondary_bus() > 255 || bridge.secondary_bus() <= address->bus) {
      return Unsound(bridge.bdf(), "secondary_bus is larger than the bridge's own, and at most 255");
    }
    if (bridge.no_acs() && bridge.acs_control() != 0)
      return Unsound(bridge.bdf(), "no_acs and acs_control exclude each other");
    BridgeSpec spec = {.address = *address,
                       .secondary_bus = static_cast<uint8_t>(bridge.secondary_bus()),
                       .kind = bridge.kind(),
                       .vendor = static_cast<uint16_t>(bridge.vendor_id()),
                       .device = static_cast<uint16_t>(bridge.device_id()),
                       .numa_node = bridge.numa_node()};
    if (!bridge.no_acs()) spec.acs_control = static_cast<uint16_t>(bridge.acs_control());
    return Add(spec);
  }

  // Bus 0 of every domain is a root bus; a bus that nothing leads to gets a root port there.
  absl::Status Complete() {
    std::set<uint32_t> domains;
    for (const PciAddress& address : taken_) domains.insert(address.domain);
    for (const uint32_t domain : domains) {
      if (!reached_.contains({domain, 0})) P2PD_RETURN_IF_ERROR(Add(HostBridgeSpec{.address = {.domain = domain}}));
    }
    for (const BridgeSpec& bridge : spec_.bridges) {
      if (!reached_.contains(BusOf(bridge.address))) {
        return Unsound(bridge.address.ToString(), "no host bridge or other bridge leads to its bus");
      }
    }
    for (const DeviceSpec& device : devices_) {
      if (!reached_.contains(BusOf(device.address))) orphans_.insert(BusOf(device.address));
    }
    for (const Bus& bus : orphans_) P2PD_RETURN_IF_ERROR(AddRootPort(bus));
    return absl::OkStatus();
  }

  HierarchySpec Take() && {
    const auto by_address = [](const auto& a, const auto& b) { return a.address < b.address; };
    std::sort(spec_.host_bridges.begin(), spec_.host_bridges.end(), by_address);
    std::sort(spec_.bridges.begin(), spec_.bridges.end(), by_address);
    return std::move(spec_);
  }

 private:
  // Takes the address, and leads to the bus.
  absl::Status Claim(const PciAddress& address, const Bus& bus) {
    if (!taken_.insert(address).second) return Unsound(address.ToString(), "something else has this address");
    if (!reached_.insert(bus).second) return Unsound(address.ToString(), "something else leads to this bus");
    return absl::OkStatus();
  }
  absl::Status Add(const HostBridgeSpec& host) {
    P2PD_RETURN_IF_ERROR(Claim(host.address, BusOf(host.address)));
    spec_.host_bridges.push_back(host);
    return absl::OkStatus();
  }
  absl::Status Add(const BridgeSpec& bridge) {
    P2PD_RETURN_IF_ERROR(Claim(bridge.address, {bridge.address.domain, bridge.secondary_bus}));
    spec_.bridges.push_back(bridge);
    return absl::OkStatus();
  }
  absl::Status AddRootPort(const Bus& bus) {
    for (uint8_t function = 0; function < 8; ++function) {
      for (uint8_t number = 1; number < 32; ++number) {
        const PciAddress address = {.domain = bus.first, .device = number, .function = function};
        if (!taken_.contains(address)) {
          return Add(BridgeSpec{.address = address, .secondary_bus = bus.second, .acs_control = kAllAcs});
        }
      }
    }
    return Unsound(absl::StrCat("bus ", bus.second), "bus 0 has no room for another root port: describe bridges");
  }

  const absl::Span<const DeviceSpec> devices_;
  HierarchySpec spec_;
  std::set<PciAddress> taken_;
  std::set<Bus> reached_;
  std::set<Bus> orphans_;
};

}  // namespace

absl::StatusOr<HierarchySpec> ParseHierarchy(const p2pd::v1::Simulation& simulation,
                                             absl::Span<const DeviceSpec> devices) {
  Builder builder(devices);
  for (const SimulatedHostBridge& host : simulation.host_bridge()) P2PD_RETURN_IF_ERROR(builder.AddHostBridge(host));
  for (const SimulatedBridge& bridge : simulation.bridge()) P2PD_RETURN_IF_ERROR(builder.AddBridge(bridge));
  P2PD_RETURN_IF_ERROR(builder.Complete());
  HierarchySpec spec = std::move(builder).Take();
  spec.cpu_vendor = simulation.cpu_vendor().empty() ? "GenuineIntel" : simulation.cpu_vendor();
  spec.cpu_family = simulation.cpu_family() == 0 ? 6 : simulation.cpu_family();
  return spec;
}

}  // namespace p2pd::sim
