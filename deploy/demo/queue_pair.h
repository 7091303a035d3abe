// A submission queue, its completion queue, and the two doorbells that tell the controller about them.
#ifndef P2PD_DEPLOY_DEMO_QUEUE_PAIR_H_
#define P2PD_DEPLOY_DEMO_QUEUE_PAIR_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "deploy/demo/bar.h"
#include "deploy/demo/dma_memory.h"
#include "deploy/demo/nvme_format.h"
#include "deploy/demo/nvme_queue.h"

namespace demo::nvme {

class QueuePair {
 public:
  static constexpr uint32_t kEntries = kPageSize / sizeof(SubmissionEntry);

  // Queue 0 is the admin queue. The queues are the first two pages of `memory`, which is cleared. Both outlive
  // this object.
  QueuePair(uint16_t id, Bar& registers, DmaMemory& memory);

  uint64_t submission_iova() const { return memory_->iova(); }
  uint64_t completion_iova() const { return memory_->iova(kPageSize); }
  uint32_t tail() const { return submissions_.tail(); }

  // Queues a command; the controller does not know before Ring(), or until somebody else tells its doorbell the
  // tail. False if the queue is full.
  bool Push(const SubmissionEntry& command) { return submissions_.Push(command); }
  void Ring();

  // The next completion, if there is one.
  std::optional<CompletionEntry> Poll();

 private:
  uint64_t tail_doorbell_ = 0;
  uint64_t head_doorbell_ = 0;
  Bar* registers_;
  DmaMemory* memory_;
  SubmissionQueue submissions_;
  CompletionQueue completions_;
};

}  // namespace demo::nvme

#endif  // P2PD_DEPLOY_DEMO_QUEUE_PAIR_H_
