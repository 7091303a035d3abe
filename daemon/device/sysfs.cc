#include "daemon/device/sysfs.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <tuple>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "daemon/base/errors.h"

namespace p2pd {
namespace {

namespace fs = std::filesystem;

std::string ReadText(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return std::string(absl::StripAsciiWhitespace(text.str()));
}

uint64_t ReadHex(const fs::path& path) {
  uint64_t value = 0;
  return absl::SimpleHexAtoi(ReadText(path), &value) ? value : 0;
}

// The last component of what a link points to; "" where there is no link.
std::string LinkName(const fs::path& link) {
  std::error_code error;
  return fs::read_symlink(link, error).filename().string();
}

std::vector<PciResource> ReadResources(const fs::path& path) {
  std::vector<PciResource> resources;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipWhitespace());
    PciResource resource;
    uint64_t start = 0;
    uint64_t end = 0;
    if (words.size() == 3 && absl::SimpleHexAtoi(words[0], &start) && absl::SimpleHexAtoi(words[1], &end) &&
        absl::SimpleHexAtoi(words[2], &resource.flags) && end > start) {
      resource.range = {.start = start, .length = end - start + 1};
    }
    resources.push_back(resource);
  }
  return resources;
}

std::string FindCdev(const fs::path& dir) {
  std::error_code error;
  for (fs::directory_iterator at(dir / "vfio-dev", error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (absl::StartsWith(name, "vfio")) return name;
  }
  return "";
}

// A function's real folder lies in its bridge's, or in the host bridge's "pciDDDD:BB".
bool OnRootBus(const fs::path& link, const PciAddress& address) {
  std::error_code error;
  const fs::path target = fs::read_symlink(link, error);
  if (error) return address.bus == 0;
  return absl::StartsWith(target.parent_path().filename().string(), "pci");
}

SysfsDevice ReadDevice(const fs::path& dir, const PciAddress& address) {
  std::error_code error;
  SysfsDevice device = {
      .address = address,
      .vendor = static_cast<uint16_t>(ReadHex(dir / "vendor")),
      .device = static_cast<uint16_t>(ReadHex(dir / "device")),
      .class_code = static_cast<uint32_t>(ReadHex(dir / "class")),
      .driver = LinkName(dir / "driver"),
      .cdev = FindCdev(dir),
      .on_root_bus = OnRootBus(dir, address),
      .has_sriov = fs::exists(dir / "sriov_totalvfs", error),
      .resources = ReadResources(dir / "resource"),
  };
  if (const auto physical = PciAddress::Parse(LinkName(dir / "physfn")); physical.ok()) {
    device.physical_function = *physical;
  }
  if (int group = 0; absl::SimpleAtoi(LinkName(dir / "iommu_group"), &group)) device.iommu_group = group;
  if (int node = 0; absl::SimpleAtoi(ReadText(dir / "numa_node"), &node)) device.numa_node = node;
  return device;
}

}  // namespace

absl::StatusOr<std::vector<SysfsDevice>> Sysfs::Scan() const {
  const fs::path top = fs::path(root_) / "bus/pci/devices";
  std::error_code error;
  std::vector<SysfsDevice> devices;
  for (fs::directory_iterator at(top, error), end; !error && at != end; at.increment(error)) {
    const auto address = PciAddress::Parse(at->path().filename().string());
    if (address.ok()) devices.push_back(ReadDevice(at->path(), *address));
  }
  if (error)
    return ErrnoError("read sysfs", top.string(), error.value(), "is sysfs mounted, and has this machine PCI?");
  std::sort(devices.begin(), devices.end(),
            [](const SysfsDevice& a, const SysfsDevice& b) { return a.address < b.address; });
  return devices;
}

std::vector<SysfsDevice> Sysfs::VirtualFunctionsOf(const PciAddress& address) const {
  const fs::path top = fs::path(root_) / "bus/pci/devices";
  std::vector<SysfsDevice> functions;
  for (int i = 0;; ++i) {
    const auto function = PciAddress::Parse(LinkName(top / address.ToString() / absl::StrCat("virtfn", i)));
    if (!function.ok()) return functions;
    functions.push_back(ReadDevice(top / function->ToString(), *function));
  }
}

std::vector<SysfsDevice> Sysfs::VirtualFunctionsBeside(const std::vector<HotResetMember>& members) const {
  std::vector<SysfsDevice> beside;
  for (const HotResetMember& member : members) {
    for (SysfsDevice& function : VirtualFunctionsOf(member.address)) {
      const bool known = std::any_of(members.begin(), members.end(),
                                     [&](const HotResetMember& m) { return m.address == function.address; });
      if (!known) beside.push_back(std::move(function));
    }
  }
  return beside;
}

absl::StatusOr<std::string> Sysfs::FindCdev(const PciAddress& address) const {
  const fs::path dir = fs::path(root_) / "bus/pci/devices" / address.ToString();
  std::string cdev = p2pd::FindCdev(dir);
  if (!cdev.empty()) return cdev;
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   {.reason = Reason::kDeviceUnusable,
                    .step = "find its VFIO device",
                    .object = absl::StrCat("devices/", address.ToString()),
                    .hint = "bind it to vfio-pci, on a machine whose IOMMU is on"},
                   absl::StrCat("VFIO does not offer it; its driver is \"", LinkName(dir / "driver"), "\""));
}

std::vector<Range> BusWindows(const std::vector<SysfsDevice>& devices) {
  std::vector<Range> windows;
  for (const SysfsDevice& device : devices) {
    for (const PciResource& resource : device.resources) {
      if (resource.is_memory()) windows.push_back(resource.range);
    }
  }
  std::sort(windows.begin(), windows.end());
  return windows;
}

std::vector<std::vector<PciAddress>> ContextClosure(const std::vector<SysfsDevice>& devices,
                                                    const std::vector<std::vector<PciAddress>>& merged) {
  std::vector<size_t> set(devices.size());
  for (size_t i = 0; i < set.size(); ++i) set[i] = i;
  const auto merge = [&set](size_t a, size_t b) {
    const size_t from = set[a];
    const size_t to = set[b];
    std::replace(set.begin(), set.end(), from, to);
  };
  std::map<int, size_t> by_group;
  std::map<std::tuple<uint32_t, uint8_t>, size_t> by_bus;
  for (size_t i = 0; i < devices.size(); ++i) {
    const SysfsDevice& device = devices[i];
    if (device.iommu_group >= 0) merge(i, by_group.emplace(device.iommu_group, i).first->second);
    if (!device.on_root_bus && !device.is_virtual_function()) {
      merge(i, by_bus.emplace(std::make_tuple(device.address.domain, device.address.bus), i).first->second);
    }
  }
  for (const std::vector<PciAddress>& together : merged) {
    std::optional<size_t> first;
    for (size_t i = 0; i < devices.size(); ++i) {
      if (std::find(together.begin(), together.end(), devices[i].address) == together.end()) continue;
      merge(i, first.value_or(i));
      first = first.value_or(i);
    }
  }
  std::map<size_t, std::vector<PciAddress>> closures;
  for (size_t i = 0; i < devices.size(); ++i) closures[set[i]].push_back(devices[i].address);
  std::vector<std::vector<PciAddress>> result;
  for (auto& [root, members] : closures) {
    std::sort(members.begin(), members.end());
    result.push_back(std::move(members));
  }
  std::sort(result.begin(), result.end());
  return result;
}

}  // namespace p2pd
