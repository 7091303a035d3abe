// The data path of the simulated NVMe controller: reads, writes, and the page lists that say where to.
#include <algorithm>

#include "daemon/kernel/sim/iova_space.h"
#include "daemon/kernel/sim/nvme_controller.h"

namespace p2pd::sim {
namespace {

using namespace nvme;  // NOLINT(google-build-using-namespace): the specification's names, and no others

constexpr uint64_t kMaxTransfer = 128 * kPageSize;  // MDTS
constexpr int kMaxLists = 8;  // pages of one PRP list: more than MDTS needs, and an end to lists that loop
constexpr int kBufferBar = 2;

template <typename T>
absl::Span<uint8_t> BytesOf(std::vector<T>& values) {
  return {reinterpret_cast<uint8_t*>(values.data()), values.size() * sizeof(T)};
}

}  // namespace

NvmeController::Outcome NvmeController::Io(const SubmissionEntry& command, Dma& dma) {
  if (command.nsid != 1) return {.status = kInvalidNamespace};
  if (command.opcode == kFlush) return {};
  if (command.opcode != kRead && command.opcode != kWrite) return {.status = kInvalidOpcode};
  const uint64_t first = command.dw10 | uint64_t{command.dw11} << 32;
  const uint64_t count = (command.dw12 & 0xffff) + 1;
  if (count * kBlockSize > kMaxTransfer) return {.status = kInvalidField};
  if (first >= disk_.blocks() || count > disk_.blocks() - first) return {.status = kLbaOutOfRange};

  std::vector<uint8_t> data(count * kBlockSize);
  if (command.opcode == kRead) {
    if (!disk_.Read(first * kBlockSize, absl::MakeSpan(data))) return {.status = kUnrecoveredRead};
    return {.status = ToHost(command, data, dma)};
  }
  if (const Status status = FromHost(command, absl::MakeSpan(data), dma); status != kSuccess) {
    return {.status = status};
  }
  return {.status = disk_.Write(first * kBlockSize, data) ? kSuccess : kWriteFault};
}

Status NvmeController::Gather(const SubmissionEntry& command, uint64_t length, Dma& dma,
                              std::vector<Segment>& segments) {
  if (command.prp1 % 4 != 0) return kInvalidPrpOffset;
  const uint64_t first = std::min(length, kPageSize - command.prp1 % kPageSize);
  segments.push_back({.address = command.prp1, .length = first});
  const uint64_t rest = length - first;
  if (rest == 0) return kSuccess;
  if (rest > kPageSize) return GatherList(command.prp2, rest, dma, segments);
  if (command.prp2 % kPageSize != 0) return kInvalidPrpOffset;
  segments.push_back({.address = command.prp2, .length = rest});
  return kSuccess;
}

Status NvmeController::GatherList(uint64_t list, uint64_t length, Dma& dma, std::vector<Segment>& segments) {
  for (int i = 0; i < kMaxLists; ++i) {
    if (list % sizeof(uint64_t) != 0) return kInvalidPrpOffset;
    const uint64_t needed = (length + kPageSize - 1) / kPageSize;
    const uint64_t room = (kPageSize - list % kPageSize) / sizeof(uint64_t);
    std::vector<uint64_t> entries(std::min(needed, room));
    if (!Fetch(list, BytesOf(entries), dma)) return kDataTransferError;
    // The last entry of a full page leads to the next page of the list, unless it is the last of all.
    const bool chained = needed > room;
    if (chained) {
      list = entries.back();
      entries.pop_back();
    }
    for (const uint64_t address : entries) {
      if (address % kPageSize != 0) return kInvalidPrpOffset;
      segments.push_back({.address = address, .length = std::min(length, kPageSize)});
      length -= segments.back().length;
    }
    if (!chained) return kSuccess;
  }
  return kInvalidField;
}

Status NvmeController::ToHost(const SubmissionEntry& command, absl::Span<const uint8_t> bytes, Dma& dma) {
  std::vector<Segment> segments;
  if (const Status status = Gather(command, bytes.size(), dma, segments); status != kSuccess) return status;
  for (const Segment& segment : segments) {
    if (!Put(segment.address, bytes.first(segment.length), dma)) return kDataTransferError;
    bytes.remove_prefix(segment.length);
  }
  return kSuccess;
}

Status NvmeController::FromHost(const SubmissionEntry& command, absl::Span<uint8_t> bytes, Dma& dma) {
  std::vector<Segment> segments;
  if (const Status status = Gather(command, bytes.size(), dma, segments); status != kSuccess) return status;
  for (const Segment& segment : segments) {
    if (!Fetch(segment.address, bytes.first(segment.length), dma)) return kDataTransferError;
    bytes.remove_prefix(segment.length);
  }
  return kSuccess;
}

std::optional<uint64_t> NvmeController::InBuffer(uint64_t address, uint64_t length) const {
  if (buffer_size_ == 0 || !Answers(kBufferBar)) return std::nullopt;
  const uint64_t base = file_.Load64(kCmbmsc) & ~(kPageSize - 1);
  if (address < base || address - base >= buffer_size_) return std::nullopt;
  const uint64_t offset = address - base;
  return length <= buffer_size_ - offset ? std::optional(offset) : std::nullopt;
}

bool NvmeController::Fetch(uint64_t address, absl::Span<uint8_t> bytes, Dma& dma) {
  const std::optional<uint64_t> offset = InBuffer(address, bytes.size());
  if (!offset.has_value()) return dma.Read(address, bytes);
  file_.Read(kBufferBar, *offset, bytes);
  return true;
}

bool NvmeController::Put(uint64_t address, absl::Span<const uint8_t> bytes, Dma& dma) {
  const std::optional<uint64_t> offset = InBuffer(address, bytes.size());
  if (!offset.has_value()) return dma.Write(address, bytes);
  file_.Write(kBufferBar, *offset, bytes);
  return true;
}

}  // namespace p2pd::sim
