#include "daemon/kernel/sim/nvme_controller.h"

#include <utility>

#include "daemon/kernel/sim/iova_space.h"

namespace p2pd::sim {
namespace {

using namespace nvme;  // NOLINT(google-build-using-namespace): the specification's names, and no others

constexpr uint32_t kMaxQueueEntries = 2048;
constexpr int kCommandsPerStep = 64;  // of one queue

// MQES, CQR, a time-out of 7.5 s, the NVM command set; pages of 4 KiB only.
constexpr uint64_t kCapabilities = (kMaxQueueEntries - 1) | 1ull << 16 | 0xfull << 24 | 1ull << 37;
constexpr uint64_t kCapabilityBuffer = 1ull << 57;
constexpr uint32_t kVersion = 0x00010400;
constexpr uint32_t kPageSizeMask = 0xf << 7;    // CC.MPS
constexpr uint32_t kCommandSetMask = 0x7 << 4;  // CC.CSS
constexpr uint32_t kShutdownMask = 0x3 << 14;   // CC.SHN
// CMBSZ: queues, PRP lists and data may be in the buffer; its size in units of 1 MiB.
constexpr uint32_t kBufferUses = 0x1f;
constexpr uint32_t kBufferUnit = 2 << 8;
constexpr int kBufferBar = 2;

}  // namespace

NvmeController::NvmeController(DeviceFile& file, const DeviceSpec& spec, Disk disk)
    : file_(file),
      buffer_size_(spec.bars[kBufferBar].size),
      vendor_(spec.vendor),
      serial_(spec.nvme.serial()),
      disk_(std::move(disk)) {
  Reset();
}

void NvmeController::Reset() {
  Disable();
  for (const uint64_t offset : {kAsq, kAcq, kCmbmsc}) file_.Store64(offset, 0);
  file_.Store32(kAqa, 0);
  file_.Store32(kCc, 0);
  RestoreReadOnly();
}

bool NvmeController::Answers(int bar) const {
  constexpr uint64_t kBoth = kCmbmscCapabilities | kCmbmscSpace;
  return bar != kBufferBar || (file_.Load64(kCmbmsc) & kBoth) == kBoth;
}

void NvmeController::RestoreReadOnly() {
  const bool has_buffer = buffer_size_ != 0;
  const bool shown = has_buffer && (file_.Load64(kCmbmsc) & kCmbmscCapabilities) != 0;
  const auto buffer_mib = static_cast<uint32_t>(buffer_size_ >> 20);
  const auto restore = [this](uint64_t offset, uint32_t value) {
    if (file_.Load32(offset) != value) file_.Store32(offset, value);
  };
  const uint64_t capabilities = kCapabilities | (has_buffer ? kCapabilityBuffer : 0);
  restore(kCap, static_cast<uint32_t>(capabilities));
  restore(kCap + 4, static_cast<uint32_t>(capabilities >> 32));
  restore(kVs, kVersion);
  restore(kCsts, status_);
  restore(kCmbloc, shown ? kBufferBar : 0);
  restore(kCmbsz, shown ? kBufferUses | kBufferUnit | buffer_mib << 12 : 0);
  restore(kCmbsts, 0);
}

bool NvmeController::Step(Dma& dma) {
  const uint32_t configuration = file_.Load32(kCc);
  const bool enable = (configuration & kCcEnable) != 0;
  bool worked = enable != enabled_;
  if (enable && !enabled_) Enable();
  if (!enable && enabled_) Disable();
  if ((configuration & kShutdownMask) != 0) status_ |= kCstsShutdownDone;
  RestoreReadOnly();
  if (!enabled_ || !dma.enabled()) return worked;

  std::vector<uint16_t> ids;  // commands create and delete queues
  for (const auto& [id, queue] : submission_queues_) ids.push_back(id);
  for (const uint16_t id : ids) worked |= ServeQueue(id, dma);
  return worked;
}

void NvmeController::Enable() {
  enabled_ = true;
  const uint32_t configuration = file_.Load32(kCc);
  const uint32_t sizes = file_.Load32(kAqa);
  const uint32_t submission_size = (sizes & 0xfff) + 1;
  const uint32_t completion_size = (sizes >> 16 & 0xfff) + 1;
  const uint64_t submission = file_.Load64(kAsq);
  const uint64_t completion = file_.Load64(kAcq);
  const bool sound = (configuration & (kPageSizeMask | kCommandSetMask)) == 0 && submission % kPageSize == 0 &&
                     completion % kPageSize == 0 && submission_size >= 2 && completion_size >= 2;
  if (!sound) return Fail();
  submission_queues_[0] = {.base = submission, .size = submission_size, .completion_queue = 0};
  completion_queues_[0] = {.base = completion, .size = completion_size};
  file_.Store32(TailDoorbell(0), 0);
  file_.Store32(HeadDoorbell(0), 0);
  status_ = kCstsReady;
}

void NvmeController::Disable() {
  for (const auto& [id, queue] : submission_queues_) file_.Store32(TailDoorbell(id), 0);
  for (const auto& [id, queue] : completion_queues_) file_.Store32(HeadDoorbell(id), 0);
  submission_queues_.clear();
  completion_queues_.clear();
  async_events_ = 0;
  enabled_ = false;
  status_ = 0;
}

void NvmeController::Fail() {
  submission_queues_.clear();
  completion_queues_.clear();
  status_ |= kCstsFatal;
  RestoreReadOnly();
}

bool NvmeController::HasRoom(uint16_t completion_queue) const {
  const auto it = completion_queues_.find(completion_queue);
  if (it == completion_queues_.end()) return false;
  const uint32_t head = file_.Load32(HeadDoorbell(completion_queue));
  return head < it->second.size && (it->second.tail + 1) % it->second.size != head;
}

bool NvmeController::ServeQueue(uint16_t id, Dma& dma) {
  bool worked = false;
  for (int i = 0; i < kCommandsPerStep; ++i) {
    const auto it = submission_queues_.find(id);
    if (it == submission_queues_.end()) return worked;
    SubmissionQueue& queue = it->second;
    const uint32_t tail = file_.Load32(TailDoorbell(id));
    if (tail >= queue.size || tail == queue.head || !HasRoom(queue.completion_queue)) return worked;
    SubmissionEntry command = {};
    const absl::Span<uint8_t> bytes(reinterpret_cast<uint8_t*>(&command), sizeof(command));
    worked = true;
    if (!Fetch(queue.base + uint64_t{queue.head} * sizeof(command), bytes, dma)) {
      Fail();
      return worked;
    }
    queue.head = (queue.head + 1) % queue.size;
    const std::optional<Outcome> outcome = id == 0 ? Admin(command, dma) : Io(command, dma);
    if (outcome.has_value()) Complete(id, command, *outcome, dma);
  }
  return worked;
}

void NvmeController::Complete(uint16_t id, const SubmissionEntry& command, const Outcome& outcome, Dma& dma) {
  const SubmissionQueue& submission = submission_queues_.at(id);
  CompletionQueue& queue = completion_queues_.at(submission.completion_queue);
  const CompletionEntry entry = {
      .result = outcome.result,
      .reserved = 0,
      .sq_head = static_cast<uint16_t>(submission.head),
      .sq_id = id,
      .id = command.id,
      .status = static_cast<uint16_t>(outcome.status << 1 | (queue.phase ? 1 : 0)),
  };
  const uint64_t address = queue.base + uint64_t{queue.tail} * sizeof(entry);
  const absl::Span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(&entry), sizeof(entry));
  // The phase last, in a store of its own: it tells the driver that the rest is there.
  Put(address, bytes.first(12), dma);
  Put(address + 12, bytes.subspan(12), dma);
  queue.tail = (queue.tail + 1) % queue.size;
  if (queue.tail == 0) queue.phase = !queue.phase;
}

}  // namespace p2pd::sim
