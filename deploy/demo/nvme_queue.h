// The two rings through which a host and an NVMe controller speak, as the host sees them. Both lie in memory
// that the controller reaches; nothing here touches a register, so whoever owns the doorbells rings them.
//
// Invariants: a submission ring never holds more than its entries less one, so that a full one differs from an
// empty one; a completion entry is looked at only after its phase bit says that it is new.
#ifndef P2PD_DEPLOY_DEMO_NVME_QUEUE_H_
#define P2PD_DEPLOY_DEMO_NVME_QUEUE_H_

#include <cstdint>
#include <optional>

#include "absl/types/span.h"
#include "deploy/demo/nvme_format.h"

namespace demo::nvme {

class SubmissionQueue {
 public:
  SubmissionQueue() = default;
  // The memory outlives the queue; at least two entries.
  explicit SubmissionQueue(absl::Span<SubmissionEntry> entries) : entries_(entries) {}

  // False if the ring is full: pop completions, and tell their `sq_head` to Consumed().
  bool Push(const SubmissionEntry& command);
  void Consumed(uint16_t sq_head) { head_ = sq_head; }

  uint32_t tail() const { return tail_; }  // what its doorbell is told
  uint32_t size() const { return static_cast<uint32_t>(entries_.size()); }

 private:
  absl::Span<SubmissionEntry> entries_;
  uint32_t head_ = 0;  // up to here the controller has fetched, as of the last completion
  uint32_t tail_ = 0;
};

class CompletionQueue {
 public:
  CompletionQueue() = default;
  // The memory outlives the queue, and is zeroed.
  explicit CompletionQueue(absl::Span<CompletionEntry> entries) : entries_(entries) {}

  // The oldest completion that has not been popped, if there is one.
  std::optional<CompletionEntry> Pop();

  uint32_t head() const { return head_; }  // what its doorbell is told
  uint32_t size() const { return static_cast<uint32_t>(entries_.size()); }

 private:
  absl::Span<CompletionEntry> entries_;
  uint32_t head_ = 0;
  bool phase_ = true;  // of entries that are new; turns with every lap of the ring
};

// The status code of a completion, 0 for success.
inline uint16_t StatusOf(const CompletionEntry& completion) { return completion.status >> 1; }

}  // namespace demo::nvme

#endif  // P2PD_DEPLOY_DEMO_NVME_QUEUE_H_
