#include "daemon/kernel/sim/sysfs_writer.h"

#include <linux/pci_regs.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "daemon/base/errors.h"
#include "daemon/kernel/sim/config_space.h"
#include "daemon/kernel/sim/iova_space.h"

namespace p2pd::sim {
namespace {

namespace fs = std::filesystem;

constexpr uint16_t kIntel = 0x8086;
constexpr uint16_t kHostBridge = 0x2020;  // Sky Lake-E: on the kernel's list of bridges that pass P2P traffic
constexpr uint16_t kRootPort = 0x2030;
constexpr uint32_t kHostBridgeClass = 0x060000;
constexpr uint32_t kRootPortClass = 0x060400;
constexpr int kDeviceResources = 13;  // lines in a function's `resource`; a bridge has four more
constexpr int kBridgeResources = 17;
constexpr int kBridgeMemoryWindow = 14;
constexpr int kBridgePrefetchWindow = 15;

// IORESOURCE flags, with the BAR register's own in the lowest bits.
constexpr uint64_t kIo = 0x40101;
constexpr uint64_t kMemory = 0x40200;
constexpr uint64_t kPrefetch = 0x2008;
constexpr uint64_t kWide = 0x100004;

struct Resource {
  Range range;
  uint64_t flags = 0;
};

// One folder of devices/.
struct Function {
  PciAddress address;
  fs::path path;  // under the tree
  uint16_t vendor = 0;
  uint16_t device = 0;
  uint32_t class_code = 0;
  uint32_t group = 0;
  int numa_node = -1;
  std::vector<Resource> resources = {};
  std::vector<uint8_t> config = {};
  std::string cdev = "";  // "" for what is not bound to vfio-pci
  bool resettable = false;
};

// Remembers the first failure; after that it does nothing.
class Writer {
 public:
  explicit Writer(fs::path root) : root_(std::move(root)) {}

  void Folder(const fs::path& path) {
    std::error_code error;
    if (status_.ok()) fs::create_directories(root_ / path, error);
    Note("mkdir", path, error);
  }
  void File(const fs::path& path, absl::string_view text) {
    if (!status_.ok()) return;
    std::ofstream file(root_ / path, std::ios::binary);
    file << text << std::flush;
    if (!file) status_ = ErrnoError("write", (root_ / path).string(), EIO);
  }
  // Both paths are under the tree; the link is relative, so that the tree can be moved.
  void Link(const fs::path& path, const fs::path& target) {
    std::error_code error;
    if (status_.ok()) fs::create_symlink(target.lexically_relative(path.parent_path()), root_ / path, error);
    Note("symlink", path, error);
  }
  // Fine if it is not there.
  void Remove(const fs::path& path) {
    std::error_code error;
    if (status_.ok()) fs::remove_all(root_ / path, error);
    Note("remove", path, error);
  }
  const absl::Status& status() const { return status_; }

 private:
  void Note(absl::string_view step, const fs::path& path, const std::error_code& error) {
    if (status_.ok() && error) status_ = ErrnoError(step, (root_ / path).string(), error.value());
  }

  const fs::path root_;
  absl::Status status_;
};

void Put16(std::vector<uint8_t>& bytes, size_t offset, uint16_t value) {
  memcpy(bytes.data() + offset, &value, sizeof(value));
}

fs::path HostPath(uint32_t domain) { return absl::StrFormat("devices/pci%04x:00", domain); }

fs::path GroupPath(uint32_t group) { return absl::StrCat("kernel/iommu_groups/", group); }

Function FunctionOf(const DeviceSpec& spec, const fs::path& parent) {
  Function function = {.address = spec.address, .path = parent / spec.address.ToString()};
  function.vendor = spec.vendor;
  function.device = spec.device;
  function.class_code = spec.class_code;
  function.group = spec.iommu_group;
  function.numa_node = spec.numa_node;
  function.cdev = spec.cdev;
  function.resettable = spec.resettable;
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

Function Bridge(const PciAddress& address, uint16_t device, uint32_t class_code, uint32_t group) {
  Function function = {.address = address, .path = HostPath(address.domain) / address.ToString()};
  function.vendor = kIntel;
  function.device = device;
  function.class_code = class_code;
  function.group = group;
  function.config.resize(PCI_CFG_SPACE_EXP_SIZE);
  Put16(function.config, PCI_VENDOR_ID, kIntel);
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

Function RootPort(const PciAddress& address, uint8_t bus, uint32_t group,
                  const std::vector<const DeviceSpec*>& behind) {
  Function port = Bridge(address, kRootPort, kRootPortClass, group);
  port.resources.resize(kBridgeResources);
  port.resources[kBridgeMemoryWindow] = Window(behind, /*wide=*/false);
  port.resources[kBridgePrefetchWindow] = Window(behind, /*wide=*/true);
  std::vector<uint8_t>& config = port.config;
  config[PCI_HEADER_TYPE] = PCI_HEADER_TYPE_BRIDGE;
  config[PCI_SECONDARY_BUS] = bus;
  config[PCI_SUBORDINATE_BUS] = bus;
  PutWindow(config, PCI_MEMORY_BASE, port.resources[kBridgeMemoryWindow]);
  PutWindow(config, PCI_PREF_MEMORY_BASE, port.resources[kBridgePrefetchWindow]);
  constexpr uint8_t kExpressAt = 0x40;
  Put16(config, PCI_STATUS, PCI_STATUS_CAP_LIST);
  config[PCI_CAPABILITY_LIST] = kExpressAt;
  config[kExpressAt] = PCI_CAP_ID_EXP;
  Put16(config, kExpressAt + PCI_EXP_FLAGS, 2 | PCI_EXP_TYPE_ROOT_PORT << 4);
  // Devices behind different ports are in different IOMMU groups, so all of ACS is on.
  constexpr uint16_t kAcs = PCI_ACS_SV | PCI_ACS_RR | PCI_ACS_CR | PCI_ACS_UF;
  constexpr size_t kAcsAt = PCI_CFG_SPACE_SIZE;
  Put16(config, kAcsAt, PCI_EXT_CAP_ID_ACS);
  Put16(config, kAcsAt + 2, 1);  // version 1, the last capability
  Put16(config, kAcsAt + PCI_ACS_CAP, kAcs);
  Put16(config, kAcsAt + PCI_ACS_CTRL, kAcs);
  return port;
}

// Every function of the machine: the devices, and the bridges that lead to them.
std::vector<Function> Layout(absl::Span<const DeviceSpec> devices) {
  std::map<uint32_t, std::map<uint8_t, std::vector<const DeviceSpec*>>> domains;
  uint32_t next_group = 0;
  for (const DeviceSpec& spec : devices) {
    domains[spec.address.domain][spec.address.bus].push_back(&spec);
    next_group = std::max(next_group, spec.iommu_group + 1);
  }
  std::vector<Function> functions;
  for (const auto& [domain, buses] : domains) {
    functions.push_back(Bridge({.domain = domain}, kHostBridge, kHostBridgeClass, next_group++));
    std::set<uint8_t> taken;  // device numbers on the root bus
    if (const auto root = buses.find(0); root != buses.end()) {
      for (const DeviceSpec* const spec : root->second) taken.insert(spec->address.device);
    }
    uint8_t number = 0;
    for (const auto& [bus, behind] : buses) {
      fs::path parent = HostPath(domain);
      if (bus != 0) {
        do ++number;
        while (taken.contains(number));
        const PciAddress port = {.domain = domain, .device = number};
        functions.push_back(RootPort(port, bus, next_group++, behind));
        parent /= port.ToString();
      }
      for (const DeviceSpec* const spec : behind) functions.push_back(FunctionOf(*spec, parent));
    }
  }
  return functions;
}

// What vfio-pci adds to a function that it has.
void WriteDriver(Writer& writer, const Function& function) {
  const fs::path folder = function.path / "vfio-dev" / function.cdev;
  writer.Link(function.path / "driver", "bus/pci/drivers/vfio-pci");
  writer.Folder(folder);
  writer.File(folder / "dev", absl::StrCat("511:", function.cdev.substr(4), "\n"));
}

void WriteFunction(Writer& writer, const Function& function) {
  const fs::path& path = function.path;
  const std::string address = function.address.ToString();
  writer.Folder(path);
  writer.File(path / "vendor", absl::StrFormat("0x%04x\n", function.vendor));
  writer.File(path / "device", absl::StrFormat("0x%04x\n", function.device));
  writer.File(path / "class", absl::StrFormat("0x%06x\n", function.class_code));
  writer.File(path / "numa_node", absl::StrCat(function.numa_node, "\n"));
  std::string resource;
  for (const Resource& line : function.resources) {
    const uint64_t last = line.range.length == 0 ? 0 : line.range.last();
    absl::StrAppendFormat(&resource, "0x%016x 0x%016x 0x%016x\n", line.range.start, last, line.flags);
  }
  writer.File(path / "resource", resource);
  writer.File(path / "config", {reinterpret_cast<const char*>(function.config.data()), function.config.size()});
  if (function.resettable) writer.File(path / "reset_method", "flr\n");
  writer.Link(fs::path("bus/pci/devices") / address, path);

  const fs::path group = GroupPath(function.group);
  writer.Folder(group / "devices");
  writer.File(group / "type", "DMA-FQ\n");
  writer.File(group / "reserved_regions",
              absl::StrFormat("0x%016x 0x%016x msi\n", kMsiWindow.start, kMsiWindow.last()));
  writer.Link(group / "devices" / address, path);
  writer.Link(path / "iommu_group", group);

  if (!function.cdev.empty()) WriteDriver(writer, function);
}

}  // namespace

absl::Status WriteSysfs(const std::string& dir, absl::Span<const DeviceSpec> devices) {
  Writer writer(dir);
  writer.Folder("bus/pci/devices");
  writer.Folder("bus/pci/drivers/vfio-pci");
  for (const Function& function : Layout(devices)) WriteFunction(writer, function);
  return writer.status();
}

absl::Status UpdateSysfs(const std::string& dir, absl::Span<const DeviceSpec> devices, const PciAddress& address,
                         bool present, const std::string& cdev) {
  std::error_code error;
  if (!fs::is_directory(dir, error)) return ErrnoError("stat", dir, ENOENT);
  Writer writer(dir);
  for (Function& function : Layout(devices)) {
    if (function.address != address) continue;
    const fs::path link = fs::path("bus/pci/devices") / address.ToString();
    writer.Remove(function.path / "driver");
    writer.Remove(function.path / "vfio-dev");
    if (!present) {
      for (const fs::path& path : {link, GroupPath(function.group) / "devices" / address.ToString(), function.path}) {
        writer.Remove(path);
      }
    }
    if (cdev.empty()) continue;
    function.cdev = cdev;
    if (fs::is_symlink(fs::path(dir) / link, error)) {
      WriteDriver(writer, function);
    } else {
      WriteFunction(writer, function);
    }
  }
  return writer.status();
}

}  // namespace p2pd::sim
