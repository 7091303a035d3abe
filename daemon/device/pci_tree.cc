#include "daemon/device/pci_tree.h"

#include <linux/pci_regs.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "daemon/base/errors.h"

namespace p2pd {
namespace {

namespace fs = std::filesystem;

// As much as could be read. (An istreambuf_iterator would throw where a read fails, as for want of memory.)
std::string ReadAll(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
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

// Without the facts of its configuration space.
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
  ReadPlace(folder, function);
  return function;
}

// The functions of which only the header could be read, as far as that leaves something unknown, with that header.
using Headers = std::map<PciAddress, std::string>;

void AskForTheRest(const Headers& headers, const ConfigSource& source, PciTree& tree) {
  std::vector<PciAddress> functions;
  for (const auto& [address, header] : headers) functions.push_back(address);
  const auto spaces = source(functions);
  for (size_t i = 0; i < functions.size() && i < spaces.size(); ++i) {
    tree.functions.at(functions[i]).config = ParseConfig(headers.at(functions[i]), spaces[i]);
  }
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

absl::StatusOr<PciTree> ReadPciTree(const std::string& sysfs_root, const ConfigSource& source) {
  const fs::path top = fs::path(sysfs_root) / "bus/pci/devices";
  std::error_code error;
  PciTree tree;
  Headers headers;
  for (fs::directory_iterator at(top, error), end; !error && at != end; at.increment(error)) {
    const fs::path& link = at->path();
    const auto address = PciAddress::Parse(link.filename().string());
    std::error_code gone;
    const fs::path folder = fs::read_symlink(link, gone);
    if (!address.ok() || gone || !fs::exists(link, gone)) continue;
    PciFunction& function = tree.functions[*address] = ReadFunction(link, folder, *address);
    const std::string config = ReadAll(link / "config");
    function.config = ParseConfig(config);
    if (function.config.cut_short && config.size() == PCI_STD_HEADER_SIZEOF) headers[*address] = config;
  }
  if (error)
    return ErrnoError("read sysfs", top.string(), error.value(), "is sysfs mounted, and has this machine PCI?");
  if (source != nullptr && !headers.empty()) AskForTheRest(headers, source, tree);
  return tree;
}

}  // namespace p2pd
