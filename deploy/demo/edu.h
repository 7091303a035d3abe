// A driver for QEMU's "edu", a DMA engine in ten lines: one transfer at a time between its own 4 KiB buffer and
// an address of 28 bits.
#ifndef P2PD_DEPLOY_DEMO_EDU_H_
#define P2PD_DEPLOY_DEMO_EDU_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/session.h"
#include "deploy/demo/bar.h"
#include "deploy/demo/dma_memory.h"

namespace demo {

// Polls, and is used by one thread.
class Edu {
 public:
  static constexpr uint64_t kIovaMax = (uint64_t{1} << 28) - 1;  // what it can address

  // Bytes of one transfer: QEMU takes one that fills the buffer of 4 KiB for too long, and ends.
  static constexpr uint64_t kMostBytes = 4088;

  // Becomes the driver of `device`. It is not Ready() yet.
  static absl::StatusOr<std::unique_ptr<Edu>> Open(p2p::Session& session, const std::string& device);
  Edu(const Edu&) = delete;
  Edu& operator=(const Edu&) = delete;

  p2p::Device& device() { return device_; }
  const p2p::AddressSpace& space() const { return space_; }

  // Has the device write four bytes to `iova`: first it fetches them from memory into its buffer. What becomes of
  // a write that the IOMMU stops, the device does not say. Errors: DeadlineExceeded.
  absl::Status Write32(uint64_t iova, uint32_t value);

  // Has it copy up to kMostBytes from `iova` to the start of its buffer, or from there to `iova`; likewise.
  absl::Status Fetch(uint64_t iova, uint64_t length);
  absl::Status Store(uint64_t iova, uint64_t length);

 private:
  Edu(p2p::Device device, p2p::AddressSpace space, DmaMemory memory, Bar registers)
      : device_(std::move(device)),
        space_(std::move(space)),
        memory_(std::move(memory)),
        registers_(std::move(registers)) {}

  absl::Status Transfer(uint64_t source, uint64_t destination, uint64_t length, bool to_memory);

  p2p::Device device_;
  p2p::AddressSpace space_;
  DmaMemory memory_;
  Bar registers_;
};

}  // namespace demo

#endif  // P2PD_DEPLOY_DEMO_EDU_H_
