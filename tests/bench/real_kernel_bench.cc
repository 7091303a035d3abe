// Map and Unmap on the kernel that runs, in the test VM, beside Ping and the ioctl together: what they must take.
// p2pd has two of the VM's devices; the ioctls alone are called here, on the other two.
#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "tests/bench/raw_part.h"
#include "tests/bench/rounds.h"
#include "tests/bench/scene.h"

namespace p2pd::bench {
namespace {

constexpr char kManaged[] = "0000:00:11.0,0000:02:00.0";
constexpr char kManagedExporter[] = "devices/0000:00:11.0";  // plain memory
constexpr char kManagedImporter[] = "devices/0000:02:00.0";  // an NVMe
constexpr char kOwnExporter[] = "0000:01:00.0";              // an NVMe with a memory buffer
constexpr char kOwnImporter[] = "0000:00:10.0";              // a DMA engine
constexpr uint64_t kIova = 1 << 24;                          // the engine has 28 address bits

}  // namespace

absl::Status BenchRealKernel(const Setup& setup, Figures& figures) {
  P2PD_ASSIGN_OR_RETURN(const Daemon daemon, Daemon::Real(setup.p2pd, kManaged));
  P2PD_ASSIGN_OR_RETURN(const Actor actor,
                        Actor::Join(daemon.sockets(), WindowOf(kManagedExporter, 0, kWindowLength), kManagedImporter));
  P2PD_ASSIGN_OR_RETURN(RawPart raw, RawPart::Create(kOwnExporter, kOwnImporter, kIova));
  Rounds rounds;
  Samples& ping = rounds.NewSamples();
  Samples& map = rounds.NewSamples();
  Samples& unmap = rounds.NewSamples();
  Samples& map_ioctl = rounds.NewSamples();
  Samples& unmap_ioctl = rounds.NewSamples();
  rounds.Add(setup.calls, [&] { return ping.Time([&] { return actor.client->Ping(); }); });
  rounds.Add(setup.calls, [&] { return actor.MapAndUnmap(map, unmap); });
  rounds.Add(setup.calls, [&] {
    const absl::Status mapped = map_ioctl.Time([&] { return raw.Map(0); });
    return mapped.ok() ? unmap_ioctl.Time([&] { return raw.Unmap(0); }) : mapped;
  });
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
