#include "deploy/demo/nvme_disk.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "deploy/demo/poll.h"
#include "deploy/demo/prp.h"

namespace demo {
namespace {

using namespace nvme;  // NOLINT(google-build-using-namespace): the specification's names, and no others

constexpr uint16_t kQueueId = 1;
constexpr uint64_t kMaxTransfer = 128 << 10;
constexpr uint64_t kBlock = 512;
constexpr uint32_t kContiguous = 1;

}  // namespace

absl::StatusOr<std::unique_ptr<NvmeDisk>> NvmeDisk::Open(p2p::Session& session, NvmeController& controller,
                                                         uint16_t depth) {
  if (depth == 0 || depth > kMaxDepth) return absl::InvalidArgumentError(absl::StrCat("a queue depth of ", depth));
  P2PD_ASSIGN_OR_RETURN(const NvmeController::Identity identity, controller.Identify());
  if (identity.max_transfer != 0 && identity.max_transfer < kMaxTransfer) {
    return absl::UnimplementedError(absl::StrCat("a controller that moves ", identity.max_transfer, " bytes at most"));
  }
  P2PD_ASSIGN_OR_RETURN(DmaMemory queues,
                        DmaMemory::Create(session, controller.space(), "nvme I/O queues", 2 * kPageSize));
  P2PD_ASSIGN_OR_RETURN(DmaMemory lists,
                        DmaMemory::Create(session, controller.space(), "nvme page lists", depth * kPageSize));
  std::unique_ptr<NvmeDisk> disk(new NvmeDisk(controller, depth, std::move(queues), std::move(lists)));
  P2PD_RETURN_IF_ERROR(disk->CreateQueues());
  P2PD_ASSIGN_OR_RETURN(disk->size_, controller.NamespaceSize());
  return disk;
}

NvmeDisk::NvmeDisk(NvmeController& controller, uint16_t depth, DmaMemory queues, DmaMemory lists)
    : controller_(controller),
      depth_(depth),
      queues_(std::move(queues)),
      lists_(std::move(lists)),
      queue_(kQueueId, controller.registers(), queues_) {}

NvmeDisk::~NvmeDisk() {
  for (const AdminOpcode opcode : {kDeleteSubmissionQueue, kDeleteCompletionQueue}) {
    controller_.Admin({.opcode = opcode, .dw10 = kQueueId}).IgnoreError();
  }
}

absl::Status NvmeDisk::CreateQueues() {
  const uint32_t size_and_id = (QueuePair::kEntries - 1) << 16 | kQueueId;
  P2PD_RETURN_IF_ERROR(controller_.Admin(
      {.opcode = kCreateCompletionQueue, .prp1 = queue_.completion_iova(), .dw10 = size_and_id, .dw11 = kContiguous}));
  return controller_.Admin({.opcode = kCreateSubmissionQueue,
                            .prp1 = queue_.submission_iova(),
                            .dw10 = size_and_id,
                            .dw11 = kQueueId << 16 | kContiguous});
}

absl::Status NvmeDisk::Read(uint64_t offset, uint64_t iova, uint64_t length) {
  return Move(kRead, offset, iova, length);
}

absl::Status NvmeDisk::Write(uint64_t offset, uint64_t iova, uint64_t length) {
  return Move(kWrite, offset, iova, length);
}

absl::Status NvmeDisk::Move(IoOpcode opcode, uint64_t offset, uint64_t iova, uint64_t length) {
  if (offset % kBlock != 0 || length % kBlock != 0) return absl::InvalidArgumentError("not whole blocks");
  std::vector<uint16_t> idle(depth_);
  std::iota(idle.begin(), idle.end(), 0);
  int failures = 0;
  uint16_t last_failure = 0;
  for (uint64_t queued = 0; queued < length || idle.size() < depth_;) {
    while (queued < length && !idle.empty()) {
      const uint64_t piece = std::min(length - queued, kMaxTransfer);
      P2PD_RETURN_IF_ERROR(Submit(idle.back(), opcode, offset + queued, iova + queued, piece));
      idle.pop_back();
      queued += piece;
    }
    queue_.Ring();
    std::optional<CompletionEntry> completion;
    P2PD_RETURN_IF_ERROR(PollUntil("an I/O command", [&] { return (completion = queue_.Poll()).has_value(); }));
    idle.push_back(completion->id);
    if (StatusOf(*completion) == 0) continue;
    ++failures;
    last_failure = StatusOf(*completion);
  }
  if (failures == 0) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat(failures, " commands failed, the last with status 0x", absl::Hex(last_failure)));
}

absl::Status NvmeDisk::Submit(uint16_t slot, IoOpcode opcode, uint64_t offset, uint64_t iova, uint64_t length) {
  const uint64_t list = slot * kPageSize;
  P2PD_ASSIGN_OR_RETURN(
      const DataPointer data,
      PointAt(iova, length,
              {.entries = lists_.At<uint64_t>(list, kPageSize / sizeof(uint64_t)), .iova = lists_.iova(list)}));
  const uint64_t block = offset / kBlock;
  const bool queued = queue_.Push({.opcode = opcode,
                                   .id = slot,
                                   .nsid = 1,
                                   .prp1 = data.prp1,
                                   .prp2 = data.prp2,
                                   .dw10 = static_cast<uint32_t>(block),
                                   .dw11 = static_cast<uint32_t>(block >> 32),
                                   .dw12 = static_cast<uint32_t>(length / kBlock - 1)});
  return queued ? absl::OkStatus() : absl::ResourceExhaustedError("the I/O queue is full");
}

}  // namespace demo
