// The admin commands of the simulated NVMe controller.
#include <algorithm>
#include <cstring>

#include "absl/strings/string_view.h"
#include "daemon/kernel/sim/iova_space.h"
#include "daemon/kernel/sim/nvme_controller.h"

namespace p2pd::sim {
namespace {

using namespace nvme;  // NOLINT(google-build-using-namespace): the specification's names, and no others

constexpr uint16_t kMaxIoQueues = 64;
constexpr uint32_t kMaxIoQueueEntries = 2048;
constexpr int kMaxAsyncEvents = 4;
constexpr uint32_t kIdentifySize = 4096;

// Fields of Identify are ASCII, padded with spaces.
void PutText(std::vector<uint8_t>& data, size_t offset, size_t length, absl::string_view text) {
  std::fill_n(data.begin() + offset, length, ' ');
  std::copy_n(text.begin(), std::min(length, text.size()), data.begin() + offset);
}

template <typename T>
void Store(std::vector<uint8_t>& data, size_t offset, T value) {
  memcpy(data.data() + offset, &value, sizeof(value));
}

uint16_t QueueId(const SubmissionEntry& command) { return static_cast<uint16_t>(command.dw10); }
uint32_t QueueSize(const SubmissionEntry& command) { return (command.dw10 >> 16) + 1; }

// What both kinds of queue need to be made.
Status CheckQueue(const SubmissionEntry& command) {
  if (QueueId(command) == 0 || QueueId(command) > kMaxIoQueues) return kInvalidQueueId;
  if (QueueSize(command) < 2 || QueueSize(command) > kMaxIoQueueEntries) return kInvalidQueueSize;
  if ((command.dw11 & 1) == 0) return kInvalidField;  // must be physically contiguous
  if (command.prp1 % kPageSize != 0) return kInvalidPrpOffset;
  return kSuccess;
}

}  // namespace

std::optional<NvmeController::Outcome> NvmeController::Admin(const SubmissionEntry& command, Dma& dma) {
  switch (command.opcode) {
    case kDeleteSubmissionQueue:
      return DeleteSubmissionQueue(command);
    case kCreateSubmissionQueue:
      return CreateSubmissionQueue(command);
    case kDeleteCompletionQueue:
      return DeleteCompletionQueue(command);
    case kCreateCompletionQueue:
      return CreateCompletionQueue(command);
    case kIdentify:
      return Identify(command, dma);
    case kAbort:
      return Outcome{.result = 1};  // bit 0: nothing was aborted, it had completed already
    case kSetFeatures:
    case kGetFeatures:
      if ((command.dw10 & 0xff) != kFeatureNumberOfQueues) return Outcome{.status = kInvalidField};
      return Outcome{.result = (kMaxIoQueues - 1u) << 16 | (kMaxIoQueues - 1u)};
    case kAsyncEventRequest:
      if (async_events_ == kMaxAsyncEvents) return Outcome{.status = kAsyncEventLimit};
      ++async_events_;
      return std::nullopt;
    default:
      return Outcome{.status = kInvalidOpcode};
  }
}

NvmeController::Outcome NvmeController::Identify(const SubmissionEntry& command, Dma& dma) {
  std::vector<uint8_t> data(kIdentifySize);
  switch (command.dw10 & 0xff) {
    case 0x00:  // a namespace
      if (command.nsid != 1) return {.status = kInvalidNamespace};
      data = IdentifyNamespace();
      break;
    case 0x01:
      data = IdentifyController();
      break;
    case 0x02:  // namespaces after nsid
      if (command.nsid == 0) Store<uint32_t>(data, 0, 1);
      break;
    default:
      return {.status = kInvalidField};
  }
  return {.status = ToHost(command, data, dma)};
}

std::vector<uint8_t> NvmeController::IdentifyController() const {
  std::vector<uint8_t> data(kIdentifySize);
  Store<uint16_t>(data, 0, vendor_);
  Store<uint16_t>(data, 2, vendor_);
  PutText(data, 4, 20, serial_);
  PutText(data, 24, 40, "p2pd simulated NVMe");
  PutText(data, 64, 8, "1.0");
  data[77] = 7;                           // MDTS: 128 pages
  Store<uint32_t>(data, 80, 0x00010400);  // VER
  data[259] = kMaxAsyncEvents - 1;        // AERL
  data[512] = 0x66;                       // entries of 64
  data[513] = 0x44;                       // and 16 bytes
  Store<uint32_t>(data, 516, 1);          // NN
  const absl::string_view name = "nqn.2014-08.org.nvmexpress:p2pd-simulated";
  std::copy(name.begin(), name.end(), data.begin() + 768);
  return data;
}

std::vector<uint8_t> NvmeController::IdentifyNamespace() const {
  std::vector<uint8_t> data(kIdentifySize);
  for (const size_t offset : {0, 8, 16}) Store<uint64_t>(data, offset, disk_.blocks());  // NSZE, NCAP, NUSE
  Store<uint32_t>(data, 128, 9u << 16);                                                  // LBAF0: blocks of 2^9 bytes
  return data;
}

NvmeController::Outcome NvmeController::CreateCompletionQueue(const SubmissionEntry& command) {
  if (const Status status = CheckQueue(command); status != kSuccess) return {.status = status};
  const uint16_t id = QueueId(command);
  if (completion_queues_.contains(id)) return {.status = kInvalidQueueId};
  completion_queues_[id] = {.base = command.prp1, .size = QueueSize(command)};
  file_.Store32(HeadDoorbell(id), 0);
  return {};
}

NvmeController::Outcome NvmeController::CreateSubmissionQueue(const SubmissionEntry& command) {
  if (const Status status = CheckQueue(command); status != kSuccess) return {.status = status};
  const uint16_t id = QueueId(command);
  const auto completion_queue = static_cast<uint16_t>(command.dw11 >> 16);
  if (submission_queues_.contains(id)) return {.status = kInvalidQueueId};
  if (completion_queue == 0 || !completion_queues_.contains(completion_queue)) {
    return {.status = kInvalidCompletionQueue};
  }
  submission_queues_[id] = {.base = command.prp1, .size = QueueSize(command), .completion_queue = completion_queue};
  file_.Store32(TailDoorbell(id), 0);
  return {};
}

NvmeController::Outcome NvmeController::DeleteSubmissionQueue(const SubmissionEntry& command) {
  const uint16_t id = QueueId(command);
  if (id == 0 || submission_queues_.erase(id) == 0) return {.status = kInvalidQueueId};
  file_.Store32(TailDoorbell(id), 0);
  return {};
}

NvmeController::Outcome NvmeController::DeleteCompletionQueue(const SubmissionEntry& command) {
  const uint16_t id = QueueId(command);
  if (id == 0 || !completion_queues_.contains(id)) return {.status = kInvalidQueueId};
  for (const auto& [other, queue] : submission_queues_) {
    if (queue.completion_queue == id) return {.status = kInvalidQueueDeletion};
  }
  completion_queues_.erase(id);
  file_.Store32(HeadDoorbell(id), 0);
  return {};
}

}  // namespace p2pd::sim
