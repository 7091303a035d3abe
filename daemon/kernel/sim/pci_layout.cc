#include "daemon/kernel/sim/pci_layout.h"

#include <linux/pci_regs.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "absl/strings/str_format.h"
#include "daemon/kernel/sim/config_space.h"

namespace p2pd::sim {
namespace {

namespace fs = std::filesystem;

using p2pd::v1::SimulatedBridge;
using Bus = std::pair<uint32_t, uint8_t>;  // with its domain

constexpr uint32_t kHostBridgeClass = 0x060000;
constexpr uint32_t kBridgeClass = 0x060400;
constexpr int kDeviceResources = 13;  // lines in a function's `resource`; a bridge has four more
constexpr int kBridgeResources = 17;
constexpr int kBridgeMemoryWindow = 14;
constexpr int kBridgePrefetchWindow = 15;

// IORESOURCE flags, with the BAR register's own in the lowest bits.
constexpr uint64_t kIo = 0x40101;
constexpr uint64_t kMemory = 0x40200;
constexpr uint64_t kPrefetch = 0x2008;
constexpr uint64_t kWide = 0x100004;

void Put16(std::vector<uint8_t>& bytes, size_t offset, uint16_t value) {
  memcpy(bytes.data() + offset, &value, sizeof(value));
}

Function FunctionOf(const DeviceSpec& spec, const fs::path& parent) {
  Function function = {.address = spec.address, .path = parent / spec.address.ToString()};
  function.vendor = spec.vendor;
  function.device = spec.device;
  function.class_code = spec.class_code;
  function.group = spec.iommu_group;
  function.numa_node = spec.numa_node;
  function.cdev = spec.cdev;
  function.resettable = spec.resettable;
  if (spec.physical_function.has_value()) function.physical_function = spec.physical_function->ToString();
  for (const BarSpec& bar : spec.bars) {
    if (bar.size == 0) {
      function.resources.push_back({});
      continue;
    }
    const uint64_t flags = bar.io ? kIo : kMemory | (bar.prefetchable ? kPrefetch : 0) | (bar.wide ? kWide : 0);
    function.resources.push_back({.range = {.start = bar.address, .length = bar.size}, .flags = flags});
  }
  function.resources.resize(kDeviceResources);
  const ConfigSpace config(spec);
  function.config.assign(config.bytes().begin(), config.bytes().end());
  return function;
}

Function BridgeFunction(const PciAddress& address, uint16_t vendor, uint16_t device, uint32_t class_code) {
  Function function = {.address = address, .vendor = vendor, .device = device, .class_code = class_code};
  function.config.resize(PCI_CFG_SPACE_EXP_SIZE);
  Put16(function.config, PCI_VENDOR_ID, vendor);
  Put16(function.config, PCI_DEVICE_ID, device);
  Put16(function.config, PCI_CLASS_DEVICE, static_cast<uint16_t>(class_code >> 8));
  return function;
}

// The least MiB-aligned window that holds the memory BARs of one kind behind the port.
Resource Window(const std::vector<const DeviceSpec*>& behind, bool wide) {
  constexpr uint64_t kMiB = 1 << 20;
  uint64_t start = UINT64_MAX;
  uint64_t end = 0;
  for (const DeviceSpec* const spec : behind) {
    for (const BarSpec& bar : spec->bars) {
      if (bar.size == 0 || bar.io || bar.wide != wide) continue;
      start = std::min(start, bar.address / kMiB * kMiB);
      end = std::max(end, (bar.address + bar.size + kMiB - 1) / kMiB * kMiB);
    }
  }
  if (end == 0) return {};
  return {.range = {.start = start, .length = end - start}, .flags = kMemory | (wide ? kPrefetch | kWide : 0)};
}

void PutWindow(std::vector<uint8_t>& config, size_t base, const Resource& window) {
  // An empty window has its base above its limit.
  const uint64_t start = window.range.length == 0 ? 0xfff00000 : window.range.start;
  const uint64_t last = window.range.length == 0 ? 0 : window.range.last();
  const uint16_t wide = base == PCI_PREF_MEMORY_BASE ? PCI_PREF_RANGE_TYPE_64 : 0;
  Put16(config, base, static_cast<uint16_t>((start >> 16 & 0xfff0) | wide));
  Put16(config, base + 2, static_cast<uint16_t>((last >> 16 & 0xfff0) | wide));
  if (wide == 0) return;
  const uint32_t high[2] = {static_cast<uint32_t>(start >> 32), static_cast<uint32_t>(last >> 32)};
  memcpy(config.data() + PCI_PREF_BASE_UPPER32, high, sizeof(high));
}

uint16_t PortTypeOf(SimulatedBridge::Kind kind) {
  switch (kind) {
    case SimulatedBridge::UPSTREAM_PORT:
      return PCI_EXP_TYPE_UPSTREAM;
    case SimulatedBridge::DOWNSTREAM_PORT:
      return PCI_EXP_TYPE_DOWNSTREAM;
    default:
      return PCI_EXP_TYPE_ROOT_PORT;
  }
}

void PutCapabilities(std::vector<uint8_t>& config, const BridgeSpec& spec) {
  constexpr uint8_t kExpressAt = 0x40;
  Put16(config, PCI_STATUS, PCI_STATUS_CAP_LIST);
  config[PCI_CAPABILITY_LIST] = kExpressAt;
  config[kExpressAt] = PCI_CAP_ID_EXP;
  Put16(config, kExpressAt + PCI_EXP_FLAGS, static_cast<uint16_t>(2 | PortTypeOf(spec.kind) << 4));
  if (!spec.acs_control.has_value()) return;
  constexpr uint16_t kAcs = PCI_ACS_SV | PCI_ACS_TB | PCI_ACS_RR | PCI_ACS_CR | PCI_ACS_UF | PCI_ACS_EC | PCI_ACS_DT;
  constexpr size_t kAcsAt = PCI_CFG_SPACE_SIZE;
  Put16(config, kAcsAt, PCI_EXT_CAP_ID_ACS);
  Put16(config, kAcsAt + 2, 1);  // version 1, the last capability
  Put16(config, kAcsAt + PCI_ACS_CAP, kAcs);
  Put16(config, kAcsAt + PCI_ACS_CTRL, *spec.acs_control);
}

class Builder {
 public:
  Builder(absl::Span<const DeviceSpec> devices, const HierarchySpec& hierarchy) {
    for (const DeviceSpec& device : devices) {
      on_bus_[{device.address.domain, device.address.bus}].push_back(&device);
      next_group_ = std::max(next_group_, device.iommu_group + 1);
    }
    for (const BridgeSpec& bridge : hierarchy.bridges) {
      bridges_on_[{bridge.address.domain, bridge.address.bus}].push_back(&bridge);
    }
    for (const HostBridgeSpec& host : hierarchy.host_bridges) AddHostBridge(host);
  }

  std::vector<Function> Take() && { return std::move(functions_); }

 private:
  void AddHostBridge(const HostBridgeSpec& host) {
    const fs::path bus = absl::StrFormat("devices/pci%04x:%02x", host.address.domain, host.address.bus);
    Add(BridgeFunction(host.address, host.vendor, host.device, kHostBridgeClass), bus, host.numa_node);
    AddBus({host.address.domain, host.address.bus}, bus);
  }

  void AddBus(const Bus& bus, const fs::path& path) {
    for (const DeviceSpec* const device : on_bus_[bus]) functions_.push_back(FunctionOf(*device, path));
    for (const BridgeSpec* const bridge : bridges_on_[bus]) {
      Add(PortOf(*bridge), path, bridge->numa_node);
      AddBus({bus.first, bridge->secondary_bus}, path / bridge->address.ToString());
    }
  }

  void Add(Function function, const fs::path& bus, int numa_node) {
    function.path = bus / function.address.ToString();
    function.numa_node = numa_node;
    function.group = next_group_++;
    functions_.push_back(std::move(function));
  }

  Function PortOf(const BridgeSpec& spec) {
    std::vector<const DeviceSpec*> behind;
    const uint8_t last_bus = CollectBehind({spec.address.domain, spec.secondary_bus}, behind);
    Function port = BridgeFunction(spec.address, spec.vendor, spec.device, kBridgeClass);
    port.resources.resize(kBridgeResources);
    port.resources[kBridgeMemoryWindow] = Window(behind, /*wide=*/false);
    port.resources[kBridgePrefetchWindow] = Window(behind, /*wide=*/true);
    port.config[PCI_HEADER_TYPE] = PCI_HEADER_TYPE_BRIDGE;
    port.config[PCI_PRIMARY_BUS] = spec.address.bus;
    port.config[PCI_SECONDARY_BUS] = spec.secondary_bus;
    port.config[PCI_SUBORDINATE_BUS] = last_bus;
    PutWindow(port.config, PCI_MEMORY_BASE, port.resources[kBridgeMemoryWindow]);
    PutWindow(port.config, PCI_PREF_MEMORY_BASE, port.resources[kBridgePrefetchWindow]);
    PutCapabilities(port.config, spec);
    return port;
  }

  // Returns the highest bus that is reached.
  uint8_t CollectBehind(const Bus& bus, std::vector<const DeviceSpec*>& behind) {
    const auto& here = on_bus_[bus];
    behind.insert(behind.end(), here.begin(), here.end());
    uint8_t last = bus.second;
    for (const BridgeSpec* const bridge : bridges_on_[bus]) {
      last = std::max(last, CollectBehind({bus.first, bridge->secondary_bus}, behind));
    }
    return last;
  }

  std::map<Bus, std::vector<const DeviceSpec*>> on_bus_;
  std::map<Bus, std::vector<const BridgeSpec*>> bridges_on_;
  std::vector<Function> functions_;
  uint32_t next_group_ = 0;
};

}  // namespace

std::vector<Function> Layout(absl::Span<const DeviceSpec> devices, const HierarchySpec& hierarchy) {
  return Builder(devices, hierarchy).Take();
}

}  // namespace p2pd::sim
