// What p2p_copy does with its disk and its window, cut into pieces: between two of them no NVMe command is in
// flight, and the program can look at what p2pd has said.
#ifndef P2PD_DEPLOY_DEMO_COPY_JOB_H_
#define P2PD_DEPLOY_DEMO_COPY_JOB_H_

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "deploy/demo/dma_memory.h"
#include "deploy/demo/nvme_disk.h"

namespace demo {

// The areas of the disk, as disk.py lays them out. The window is as long as an area.
inline constexpr uint64_t kAreaLength = 32 << 20;
inline constexpr uint64_t kSourceArea = 0;
inline constexpr uint64_t kDestinationArea = kAreaLength;
inline constexpr uint64_t kScratchArea = 2 * kAreaLength;

inline constexpr uint64_t kTrafficPiece = 512 << 10;

class CopyJob {
 public:
  virtual ~CopyJob() = default;
  // Does one piece. False when there is nothing left to do. Errors: DataLoss, the controller says that a command
  // failed; others end the driver.
  virtual absl::StatusOr<bool> Step() = 0;
  // Reports how far it is.
  virtual void Say() const = 0;
};

// The whole source area into the window; then the window into the destination area.
std::unique_ptr<CopyJob> MakeCopyJob(NvmeDisk& disk, uint64_t window_iova);

// For ever: a piece of the source area into the window, from there to the scratch area, and both ends compared
// in `memory`, which holds two pieces. A piece that came out wrong is counted, not an error.
std::unique_ptr<CopyJob> MakeTrafficJob(NvmeDisk& disk, uint64_t window_iova, const DmaMemory& memory);

}  // namespace demo

#endif  // P2PD_DEPLOY_DEMO_COPY_JOB_H_
