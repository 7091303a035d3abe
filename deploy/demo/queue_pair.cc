#include "deploy/demo/queue_pair.h"

namespace demo::nvme {

QueuePair::QueuePair(uint16_t id, Bar& registers, DmaMemory& memory) : registers_(&registers), memory_(&memory) {
  const uint64_t stride = uint64_t{4} << (registers.Read64(kCap) >> 32 & 0xf);  // CAP.DSTRD
  tail_doorbell_ = kDoorbells + 2 * id * stride;
  head_doorbell_ = tail_doorbell_ + stride;
  memory.Clear();
  submissions_ = SubmissionQueue(memory.At<SubmissionEntry>(0, kEntries));
  completions_ = CompletionQueue(memory.At<CompletionEntry>(kPageSize, kEntries));
}

void QueuePair::Ring() { registers_->Write32(tail_doorbell_, submissions_.tail()); }

std::optional<CompletionEntry> QueuePair::Poll() {
  const std::optional<CompletionEntry> completion = completions_.Pop();
  if (!completion.has_value()) return std::nullopt;
  submissions_.Consumed(completion->sq_head);
  registers_->Write32(head_doorbell_, completions_.head());
  return completion;
}

}  // namespace demo::nvme
