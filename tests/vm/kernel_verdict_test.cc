// Asks the kernel what it thinks of pairs of devices, in a test VM (topology.sh), and holds the path verdict to it.
//
// The kernel's NVMe driver offers a controller's memory buffer as p2pmem. A direct read from another NVMe into such
// memory makes the kernel judge the pair (drivers/pci/p2pdma.c:pci_p2pdma_map_type): EINVAL is its "not supported".
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/unique_fd.h"
#include "daemon/device/path_verdict.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

namespace fs = std::filesystem;

constexpr size_t kPage = 4096;

fs::path FolderOf(const PciAddress& address) { return fs::path("/sys/bus/pci/devices") / address.ToString(); }

// "/dev/nvme3n1" of an NVMe with a namespace; "" of anything else.
std::string DiskOf(const PciAddress& address) {
  std::error_code none;
  for (const auto& controller : fs::directory_iterator(FolderOf(address) / "nvme", none)) {
    for (const auto& entry : fs::directory_iterator(controller.path(), none)) {
      const std::string name = entry.path().filename();
      if (name.starts_with("nvme") && name.ends_with("n1")) return "/dev/" + name;
    }
  }
  return "";
}

// The errno of a read from the importer's disk into the exporter's memory; 0: it went well.
int AskKernel(const PciAddress& exporter, const std::string& disk) {
  const UniqueFd memory(open((FolderOf(exporter) / "p2pmem/allocate").c_str(), O_RDWR | O_CLOEXEC));
  EXPECT_TRUE(memory.valid()) << exporter.ToString();
  void* const page = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0);
  EXPECT_NE(page, MAP_FAILED) << exporter.ToString();
  const UniqueFd fd(open(disk.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC));
  EXPECT_TRUE(fd.valid()) << disk;
  const int error = pread(fd.get(), page, kPage, 0) < 0 ? errno : 0;
  munmap(page, kPage);
  return error;
}

TEST(KernelVerdictTest, TheKernelRefusesWhatIsNotSupportedAndNothingElse) {
  const auto topology = ReadTopology("/sys", "/proc/cpuinfo");
  ASSERT_TRUE(topology.ok()) << topology.status();
  int refused = 0;
  int done = 0;
  for (const auto& [exporter, unused] : topology->tree.functions) {
    if (!fs::exists(FolderOf(exporter) / "p2pmem")) continue;
    for (const auto& [importer, unused_too] : topology->tree.functions) {
      const std::string disk = DiskOf(importer);
      if (disk.empty()) continue;
      const PathVerdict verdict = JudgePath(*topology, exporter, importer);
      const int error = AskKernel(exporter, disk);
      const bool not_supported = verdict.kernel_kind == PathKind::kNotSupported;
      EXPECT_EQ(error, not_supported ? EINVAL : 0)
          << exporter.ToString() << " -> " << importer.ToString() << ": " << verdict.reason;
      ++(not_supported ? refused : done);
    }
  }
  EXPECT_GE(refused, 10);
  EXPECT_GE(done, 4) << "each to itself, and the two behind the switch";
}

}  // namespace
}  // namespace p2pd
