#include "deploy/demo/nvme_queue.h"

#include <atomic>

namespace demo::nvme {

bool SubmissionQueue::Push(const SubmissionEntry& command) {
  const uint32_t next = (tail_ + 1) % size();
  if (next == head_) return false;
  entries_[tail_] = command;
  tail_ = next;
  return true;
}

std::optional<CompletionEntry> CompletionQueue::Pop() {
  CompletionEntry& entry = entries_[head_];
  // The controller writes the phase last; what it wrote before is there once the phase is seen.
  const uint16_t status = std::atomic_ref<uint16_t>(entry.status).load(std::memory_order_acquire);
  if ((status & 1) != (phase_ ? 1 : 0)) return std::nullopt;
  const CompletionEntry completion = entry;
  head_ = (head_ + 1) % size();
  if (head_ == 0) phase_ = !phase_;
  return completion;
}

}  // namespace demo::nvme
