// One IOAS of the simulation: which file lies at which IOVA, what is reserved, and the rules of iommufd's
// io_pagetable.c and pages.c for changing that. Results are errno values, 0 for success.
//
// Invariant: areas never overlap; while a device is attached, every area is aligned to pages, outside what
// is reserved, and backed by memory or by a dma-buf. A dead area keeps its IOVA and leads nowhere, for good.
#ifndef P2PD_DAEMON_KERNEL_SIM_IOVA_SPACE_H_
#define P2PD_DAEMON_KERNEL_SIM_IOVA_SPACE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "daemon/base/unique_fd.h"
#include "daemon/kernel/kernel.h"
#include "daemon/kernel/sim/tracked_file.h"

namespace p2pd::sim {

inline constexpr uint64_t kPageSize = 4096;
// What the IOMMU can address, as in the test VM.
inline constexpr uint64_t kApertureEnd = uint64_t{1} << 48;
// x86's window for interrupts, which every device reserves.
inline constexpr Range kMsiWindow = {.start = 0xfee00000, .length = 0x100000};

class Device;

// A range of a device's BAR that was exported.
struct DmaBuf {
  absl::StatusOr<UniqueFd> OpenAgain();
  bool IsOpen() const;
  // Whether an open other than the one behind `fd`, a descriptor of it, is left.
  bool IsOpenBeside(FdRef fd) const;

  TrackedFile file;
  std::vector<uint64_t> handles;  // of its opens
  Device* device = nullptr;       // none once the device was closed: then it is revoked for ever
  int bar = 0;
  Range range;
  bool revoked = false;
};

// A client's file, as it was handed in.
struct ClientFile {
  UniqueFd fd;
  bool is_memory = false;  // shmem: only that can be pinned
};

struct Area {
  Range iova;
  uint64_t offset = 0;  // into the file
  Access access = Access::kReadWrite;
  std::shared_ptr<DmaBuf> dma_buf = nullptr;   // this one
  std::shared_ptr<ClientFile> file = nullptr;  // or this one
  bool dead = false;
};

class IovaSpace {
 public:
  // EINVAL, EEXIST, EOVERFLOW as iommufd decides them.
  int Map(Area area);

  // ENOENT, EINVAL, EOVERFLOW.
  int Unmap(Range iova);

  // `device` is only a name here. EADDRINUSE: an area lies where the device reserves; EINVAL: an area's file
  // is no memory.
  int Attach(const Device* device);
  void Detach(const Device* device);
  bool attached() const { return !attached_.empty(); }

  // Kills every area of the device's dma-bufs.
  void Revoke(const Device& exporter);

  // The area at `iova`, dead or alive; null if there is none.
  const Area* At(uint64_t iova) const;
  const std::map<uint64_t, Area>& areas() const { return areas_; }

  uint64_t alignment() const { return attached() ? kPageSize : 1; }
  std::vector<Range> Usable() const;

 private:
  using Areas = std::map<uint64_t, Area>;

  // The lowest area that has a byte in `range`.
  Areas::const_iterator FirstIn(const Range& range) const;
  std::vector<Range> Reserved() const;

  Areas areas_;  // by IOVA
  std::vector<const Device*> attached_;
};

}  // namespace p2pd::sim

#endif  // P2PD_DAEMON_KERNEL_SIM_IOVA_SPACE_H_
