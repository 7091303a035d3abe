// Map and Unmap on the kernel that runs, in the test VM, beside Ping and the ioctl together: what they must take.
// p2pd has two of the VM's devices; the ioctls alone are called here, on the other two.
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/kernel/linux_kernel.h"
#include "tests/bench/rounds.h"
#include "tests/bench/scene.h"

namespace p2pd::bench {
namespace {

constexpr char kManaged[] = "0000:00:11.0,0000:02:00.0";
constexpr char kManagedExporter[] = "devices/0000:00:11.0";  // plain memory
constexpr char kManagedImporter[] = "devices/0000:02:00.0";  // an NVMe
constexpr char kOwnExporter[] = "0000:01:00.0";              // an NVMe with a memory buffer
constexpr char kOwnImporter[] = "0000:00:10.0";              // a DMA engine
constexpr int kMemoryBar = 2;
constexpr Range kIova = {.start = 1 << 24, .length = kPage};  // the engine has 28 address bits

absl::StatusOr<UniqueFd> OpenBound(LinuxKernel& kernel, const std::string& bdf, FdRef context) {
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator(absl::StrCat("/sys/bus/pci/devices/", bdf, "/vfio-dev"), error)) {
    P2PD_ASSIGN_OR_RETURN(UniqueFd device, kernel.OpenDevice(entry.path().filename().string()));
    P2PD_RETURN_IF_ERROR(kernel.BindDevice(device, context));
    return device;
  }
  return absl::NotFoundError(absl::StrCat(bdf, " is not there, or not bound to vfio-pci: run this in the test VM"));
}

// An IOAS with a device attached, and a dma-buf to map in it.
class Raw {
 public:
  static absl::StatusOr<Raw> Create() {
    Raw raw;
    P2PD_ASSIGN_OR_RETURN(raw.context_, raw.kernel_.OpenContext());
    P2PD_ASSIGN_OR_RETURN(raw.exporter_, OpenBound(raw.kernel_, kOwnExporter, raw.context_));
    P2PD_ASSIGN_OR_RETURN(raw.importer_, OpenBound(raw.kernel_, kOwnImporter, raw.context_));
    P2PD_ASSIGN_OR_RETURN(raw.ioas_, raw.kernel_.AllocIoas(raw.context_));
    P2PD_RETURN_IF_ERROR(raw.kernel_.AttachDevice(raw.importer_, raw.ioas_));
    P2PD_ASSIGN_OR_RETURN(raw.dma_buf_, raw.kernel_.ExportDmaBuf(raw.exporter_, kMemoryBar, {.length = kPage}));
    return raw;
  }

  absl::Status MapAndUnmap(Samples& map, Samples& unmap) {
    P2PD_RETURN_IF_ERROR(
        map.Time([&] { return kernel_.MapFile(context_, {.ioas = ioas_, .file = dma_buf_, .iova = kIova}); }));
    return unmap.Time([&] { return kernel_.Unmap(context_, ioas_, kIova); });
  }

 private:
  Raw() = default;

  LinuxKernel kernel_;
  UniqueFd context_;
  UniqueFd exporter_;
  UniqueFd importer_;
  IoasId ioas_;
  UniqueFd dma_buf_;
};

}  // namespace

absl::Status BenchRealKernel(const Setup& setup, Figures& figures) {
  P2PD_ASSIGN_OR_RETURN(const Daemon daemon, Daemon::Real(setup.p2pd, kManaged));
  P2PD_ASSIGN_OR_RETURN(const Actor actor,
                        Actor::Join(daemon.sockets(), WindowOf(kManagedExporter, 0, kWindowLength), kManagedImporter));
  P2PD_ASSIGN_OR_RETURN(Raw raw, Raw::Create());
  Rounds rounds;
  Samples& ping = rounds.NewSamples();
  Samples& map = rounds.NewSamples();
  Samples& unmap = rounds.NewSamples();
  Samples& map_ioctl = rounds.NewSamples();
  Samples& unmap_ioctl = rounds.NewSamples();
  rounds.Add(setup.calls, [&] { return ping.Time([&] { return actor.client->Ping(); }); });
  rounds.Add(setup.calls, [&] { return actor.MapAndUnmap(map, unmap); });
  rounds.Add(setup.calls, [&] { return raw.MapAndUnmap(map_ioctl, unmap_ioctl); });
  P2PD_RETURN_IF_ERROR(rounds.Run(setup.rounds));
  const auto with_ping = [&](const std::string& call, const Samples& ioctl) {
    return Floor{.name = absl::StrCat("Ping + ", call), .value = ping.Percentile(50) + ioctl.Percentile(50)};
  };
  figures.push_back(MakeTime("Ping, in the VM", ping));
  figures.push_back(MakeTime("IOMMU_IOAS_MAP_FILE, in the VM", map_ioctl));
  figures.push_back(MakeTime("IOMMU_IOAS_UNMAP, in the VM", unmap_ioctl));
  figures.push_back(MakeTime("Map, in the VM", map, with_ping("IOMMU_IOAS_MAP_FILE", map_ioctl), RatioAtMost(1.3)));
  figures.push_back(MakeTime("Unmap, in the VM", unmap, with_ping("IOMMU_IOAS_UNMAP", unmap_ioctl), RatioAtMost(1.3)));
  return absl::OkStatus();
}

}  // namespace p2pd::bench
