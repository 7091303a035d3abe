#include "daemon/kernel/sim/dma_engine.h"

namespace p2pd::sim {
namespace {

// Registers, in BAR 0.
constexpr uint64_t kIdentification = 0x00;
constexpr uint64_t kLiveness = 0x04;  // reads as the complement of what was written
constexpr uint64_t kSource = 0x80;
constexpr uint64_t kDestination = 0x88;
constexpr uint64_t kCount = 0x90;
constexpr uint64_t kCommand = 0x98;

constexpr uint32_t kIdentity = 0x010000ed;
constexpr uint64_t kRun = 1;
constexpr uint64_t kToMemory = 2;
constexpr uint64_t kBufferAddress = 0x40000;

}  // namespace

DmaEngine::DmaEngine(DeviceFile& file, int address_bits)
    : file_(file), address_mask_(address_bits == 64 ? UINT64_MAX : (uint64_t{1} << address_bits) - 1) {
  Reset();
}

void DmaEngine::Reset() {
  buffer_.fill(0);
  liveness_ = 0;
  for (const uint64_t offset : {kSource, kDestination, kCount, kCommand}) file_.Store64(offset, 0);
  file_.Store32(kLiveness, liveness_);
  file_.Store32(kIdentification, kIdentity);
}

bool DmaEngine::Step(Dma& dma) {
  if (const uint32_t written = file_.Load32(kLiveness); written != liveness_) {
    liveness_ = ~written;
    file_.Store32(kLiveness, liveness_);
  }
  if (file_.Load32(kIdentification) != kIdentity) file_.Store32(kIdentification, kIdentity);
  const uint64_t command = file_.Load64(kCommand);
  if ((command & kRun) == 0) return false;
  Transfer(command, dma);
  file_.Store64(kCommand, command & ~kRun);
  return true;
}

void DmaEngine::Transfer(uint64_t command, Dma& dma) {
  const uint64_t source = file_.Load64(kSource);
  const uint64_t destination = file_.Load64(kDestination);
  const uint64_t count = file_.Load64(kCount);
  const bool to_memory = (command & kToMemory) != 0;
  const uint64_t in_buffer = (to_memory ? source : destination) - kBufferAddress;
  if (in_buffer > buffer_.size() || count > buffer_.size() - in_buffer) return;
  const absl::Span<uint8_t> bytes = absl::MakeSpan(buffer_).subspan(in_buffer, count);
  if (to_memory) {
    dma.Write(destination & address_mask_, bytes);
  } else {
    dma.Read(source & address_mask_, bytes);
  }
}

}  // namespace p2pd::sim
