#include "daemon/device/pci_tree.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "daemon/base/errors.h"

namespace p2pd {
namespace {

namespace fs = std::filesystem;

std::string ReadAll(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

uint32_t ReadHex(const fs::path& path) {
  uint32_t value = 0;
  return absl::SimpleHexAtoi(absl::StripAsciiWhitespace(ReadAll(path)), &value) ? value : 0;
}

int ReadNumber(absl::string_view text) {
  int value = 0;
  return absl::SimpleAtoi(text, &value) ? value : -1;
}

std::string LinkName(const fs::path& link) {
  std::error_code error;
  return fs::read_symlink(link, error).filename().string();
}

// The folders above the function's own, from the nearest: its bridge, or its host bridge's root bus. A domain may
// hang below a function of another one (VMD), so the first root bus is the one.
void ReadPlace(const fs::path& folder, PciFunction& function) {
  fs::path at = folder.parent_path();
  if (const auto bridge = PciAddress::Parse(at.filename().string()); bridge.ok()) function.upstream = *bridge;
  for (; at.has_filename(); at = at.parent_path()) {
    if (!absl::StartsWith(at.filename().string(), "pci")) continue;
    function.root_bus = at.filename().string();
    return;
  }
}

PciFunction ReadFunction(const fs::path& link, const fs::path& folder, const PciAddress& address) {
  PciFunction function = {.address = address};
  function.vendor = static_cast<uint16_t>(ReadHex(link / "vendor"));
  function.device = static_cast<uint16_t>(ReadHex(link / "device"));
  function.class_code = ReadHex(link / "class");
  function.iommu_group = ReadNumber(LinkName(link / "iommu_group"));
  function.numa_node = ReadNumber(ReadAll(link / "numa_node"));
  if (const auto physical = PciAddress::Parse(LinkName(link / "physfn")); physical.ok()) {
    function.physical_function = *physical;
  }
  function.config = ParseConfig(ReadAll(link / "config"));
  ReadPlace(folder, function);
  return function;
}

}  // namespace

const PciFunction* PciTree::Find(const PciAddress& address) const {
  const auto found = functions.find(address);
  return found == functions.end() ? nullptr : &found->second;
}

std::vector<const PciFunction*> PciTree::WayUp(const PciAddress& address) const {
  std::vector<const PciFunction*> way;
  for (std::optional<PciAddress> next = address; next.has_value();) {
    const PciFunction* const function = Find(*next);
    if (function == nullptr || way.size() > functions.size()) return {};
    way.push_back(function);
    const PciFunction* placed = function;
    if (function->physical_function.has_value()) placed = Find(*function->physical_function);
    if (placed == nullptr) return {};
    next = placed->upstream;
  }
  return way;
}

absl::StatusOr<PciTree> ReadPciTree(const std::string& sysfs_root) {
  const fs::path top = fs::path(sysfs_root) / "bus/pci/devices";
  std::error_code error;
  PciTree tree;
  for (const auto& entry : fs::directory_iterator(top, error)) {
    const auto address = PciAddress::Parse(entry.path().filename().string());
    std::error_code gone;
    const fs::path folder = fs::read_symlink(entry.path(), gone);
    if (!address.ok() || gone || !fs::exists(entry.path(), gone)) continue;
    tree.functions[*address] = ReadFunction(entry.path(), folder, *address);
  }
  if (error)
    return ErrnoError("read sysfs", top.string(), error.value(), "is sysfs mounted, and has this machine PCI?");
  return tree;
}

}  // namespace p2pd
