#include "daemon/kernel/sim/sysfs_writer.h"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "daemon/base/errors.h"
#include "daemon/kernel/sim/iova_space.h"
#include "daemon/kernel/sim/pci_layout.h"

namespace p2pd::sim {
namespace {

namespace fs = std::filesystem;

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

fs::path GroupPath(uint32_t group) { return absl::StrCat("kernel/iommu_groups/", group); }

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

// How a physical function and its virtual ones know of each other.
void LinkVirtualFunctions(Writer& writer, const std::vector<Function>& functions) {
  for (const Function& physical : functions) {
    int count = 0;
    for (const Function& function : functions) {
      if (function.physical_function != physical.address.ToString()) continue;
      writer.Link(physical.path / absl::StrCat("virtfn", count++), function.path);
      writer.Link(function.path / "physfn", physical.path);
    }
    if (count > 0) writer.File(physical.path / "sriov_totalvfs", absl::StrCat(count, "\n"));
  }
}

}  // namespace

absl::Status WriteSysfs(const std::string& dir, absl::Span<const DeviceSpec> devices, const HierarchySpec& hierarchy) {
  Writer writer(dir);
  writer.Folder("bus/pci/devices");
  writer.Folder("bus/pci/drivers/vfio-pci");
  const std::vector<Function> functions = Layout(devices, hierarchy);
  for (const Function& function : functions) WriteFunction(writer, function);
  LinkVirtualFunctions(writer, functions);
  writer.Folder("proc");
  writer.File("proc/cpuinfo", absl::StrFormat("processor\t: 0\nvendor_id\t: %s\ncpu family\t: %u\n\n",
                                              hierarchy.cpu_vendor, hierarchy.cpu_family));
  return writer.status();
}

absl::Status UpdateSysfs(const std::string& dir, absl::Span<const DeviceSpec> devices, const HierarchySpec& hierarchy,
                         const PciAddress& address, bool present, const std::string& cdev) {
  std::error_code error;
  if (!fs::is_directory(dir, error)) return ErrnoError("stat", dir, ENOENT);
  Writer writer(dir);
  for (Function& function : Layout(devices, hierarchy)) {
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
