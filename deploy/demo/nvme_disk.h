// The disk behind an NVMe controller: moves bytes between it and whatever the controller reaches, memory or
// another device's window. Where the bytes go, no CPU ever sees them.
#ifndef P2PD_DEPLOY_DEMO_NVME_DISK_H_
#define P2PD_DEPLOY_DEMO_NVME_DISK_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/session.h"
#include "deploy/demo/dma_memory.h"
#include "deploy/demo/nvme.h"
#include "deploy/demo/queue_pair.h"

namespace demo {

// One I/O queue. Offsets and lengths are bytes, multiples of 512. Used by one thread.
class NvmeDisk {
 public:
  static constexpr uint16_t kMaxDepth = 32;

  // `controller` has been started, and outlives this; `depth` is how many commands may be in flight.
  static absl::StatusOr<std::unique_ptr<NvmeDisk>> Open(p2p::Session& session, NvmeController& controller,
                                                        uint16_t depth);
  // Deletes the queues before their memory goes.
  ~NvmeDisk();
  NvmeDisk(const NvmeDisk&) = delete;
  NvmeDisk& operator=(const NvmeDisk&) = delete;

  uint64_t size() const { return size_; }

  // In commands of 128 KiB, as many at a time as may be; when they return, none is in flight. Errors: DataLoss, the
  // controller says that a command failed (not every controller does where an IOMMU stops its DMA); DeadlineExceeded.
  absl::Status Read(uint64_t offset, uint64_t iova, uint64_t length);
  absl::Status Write(uint64_t offset, uint64_t iova, uint64_t length);

 private:
  NvmeDisk(NvmeController& controller, uint16_t depth, DmaMemory queues, DmaMemory lists);

  absl::Status CreateQueues();
  absl::Status Move(nvme::IoOpcode opcode, uint64_t offset, uint64_t iova, uint64_t length);
  // Queues one command as number `slot`, whose page list it uses.
  absl::Status Submit(uint16_t slot, nvme::IoOpcode opcode, uint64_t offset, uint64_t iova, uint64_t length);

  NvmeController& controller_;
  const uint16_t depth_;
  uint64_t size_ = 0;
  DmaMemory queues_;
  DmaMemory lists_;  // a page a slot
  nvme::QueuePair queue_;
};

}  // namespace demo

#endif  // P2PD_DEPLOY_DEMO_NVME_DISK_H_
