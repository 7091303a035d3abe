// A device's registers and memory, through the fd that p2pd granted. The same on a real VFIO device and on a
// simulated one: p2pd says where in the fd each BAR and configuration space are.
#ifndef P2PD_DEPLOY_DEMO_BAR_H_
#define P2PD_DEPLOY_DEMO_BAR_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "client/device.h"

namespace demo {

// One BAR, mapped. It keeps the device open: let it go before Device::Close(). Move-only. Offsets must be inside
// the BAR and aligned to the access.
class Bar {
 public:
  static absl::StatusOr<Bar> Map(const p2p::Device& device, uint32_t index);

  Bar(Bar&& other) noexcept;
  Bar& operator=(Bar&& other) noexcept;
  ~Bar();

  uint64_t size() const { return size_; }

  uint32_t Read32(uint64_t offset) const;
  uint64_t Read64(uint64_t offset) const;
  // What the program wrote to memory before, a device that is told by the write finds there.
  void Write32(uint64_t offset, uint32_t value);
  void Write64(uint64_t offset, uint64_t value);

  // Many words of 64 bits, as a BAR that is plain memory takes them.
  void Load(uint64_t offset, absl::Span<uint64_t> words) const;
  void Store(uint64_t offset, absl::Span<const uint64_t> words);

 private:
  Bar(char* base, uint64_t size) : base_(base), size_(size) {}

  char* base_ = nullptr;
  uint64_t size_ = 0;
};

// Lets the device answer accesses to its BARs, and start DMA. A reset by p2pd leaves that as it is.
absl::Status EnableDma(const p2p::Device& device);

}  // namespace demo

#endif  // P2PD_DEPLOY_DEMO_BAR_H_
