#include "tests/contract/nvme_driver.h"

#include <unistd.h>

#include <cstring>

namespace p2pd::contract {
namespace {

constexpr uint64_t kCc = 0x14;
constexpr uint64_t kCsts = 0x1c;
constexpr uint64_t kAqa = 0x24;
constexpr uint64_t kAsq = 0x28;
constexpr uint64_t kAcq = 0x30;
constexpr uint32_t kEnable = 0x00460001;
constexpr uint32_t kReady = 1;

constexpr uint8_t kCreateSubmissionQueue = 1;
constexpr uint8_t kCreateCompletionQueue = 5;
constexpr uint8_t kWrite = 1;
constexpr uint8_t kRead = 2;

// Pages of the memory.
constexpr uint64_t SubmissionAt(int queue) { return 2 * queue * kPage; }
constexpr uint64_t CompletionAt(int queue) { return (2 * queue + 1) * kPage; }

template <typename T>
void Put(Bytes& bytes, size_t offset, T value) {
  memcpy(bytes.data() + offset, &value, sizeof(value));
}

template <typename T>
T Get(const Bytes& bytes, size_t offset) {
  T value;
  memcpy(&value, bytes.data() + offset, sizeof(value));
  return value;
}

}  // namespace

uint32_t NvmeDriver::Read32(uint64_t offset) const {
  uint32_t value = 0;
  EXPECT_EQ(pread(device_.get(), &value, sizeof(value), static_cast<off_t>(registers_offset_ + offset)), 4);
  return value;
}

void NvmeDriver::Write32(uint64_t offset, uint32_t value) const {
  EXPECT_EQ(pwrite(device_.get(), &value, sizeof(value), static_cast<off_t>(registers_offset_ + offset)), 4);
}

void NvmeDriver::Write64(uint64_t offset, uint64_t value) const {
  EXPECT_EQ(pwrite(device_.get(), &value, sizeof(value), static_cast<off_t>(registers_offset_ + offset)), 8);
}

bool NvmeDriver::Enable() {
  Write32(kCc, 0);
  if (!Eventually([this] { return (Read32(kCsts) & kReady) == 0; })) return false;
  queues_ = {};
  memory_.Write(0, Bytes(4 * kPage, 0));
  Write32(kAqa, (kEntries - 1) << 16 | (kEntries - 1));
  Write64(kAsq, iova_ + SubmissionAt(0));
  Write64(kAcq, iova_ + CompletionAt(0));
  Write32(kCc, kEnable);
  return Eventually([this] { return (Read32(kCsts) & kReady) != 0; });
}

bool NvmeDriver::CreateIoQueue() {
  constexpr uint32_t kIdAndSize = (kEntries - 1) << 16 | 1;
  const Command completion = {
      .opcode = kCreateCompletionQueue, .prp1 = iova_ + CompletionAt(1), .dw10 = kIdAndSize, .dw11 = 1};
  const Command submission = {
      .opcode = kCreateSubmissionQueue, .prp1 = iova_ + SubmissionAt(1), .dw10 = kIdAndSize, .dw11 = 1 << 16 | 1};
  return Admin(completion) == 0 && Admin(submission) == 0;
}

uint32_t NvmeDriver::Prepare(int queue, const Command& command) {
  Bytes entry(64);
  Put(entry, 0, command.opcode);
  Put(entry, 2, next_id_++);
  Put(entry, 4, command.nsid);
  Put(entry, 24, command.prp1);
  Put(entry, 32, command.prp2);
  Put(entry, 40, command.dw10);
  Put(entry, 44, command.dw11);
  Put(entry, 48, command.dw12);
  Queue& state = queues_[queue];
  memory_.Write(SubmissionAt(queue) + state.tail * entry.size(), entry);
  state.tail = (state.tail + 1) % kEntries;
  return state.tail;
}

std::optional<uint16_t> NvmeDriver::Await(int queue) {
  Queue& state = queues_[queue];
  Bytes entry;
  const auto completed = [&] {
    entry = memory_.Read(CompletionAt(queue) + state.head * 16, 16);
    return (Get<uint16_t>(entry, 14) & 1) == state.phase;
  };
  if (!Eventually(completed)) return std::nullopt;
  state.head = (state.head + 1) % kEntries;
  if (state.head == 0) state.phase ^= 1;
  Write32(kAdminDoorbell + 8 * queue + 4, state.head);
  return static_cast<uint16_t>(Get<uint16_t>(entry, 14) >> 1);
}

std::optional<uint16_t> NvmeDriver::Run(int queue, const Command& command) {
  Write32(kAdminDoorbell + 8 * queue, Prepare(queue, command));
  return Await(queue);
}

std::optional<uint16_t> NvmeDriver::ReadBlocks(uint64_t block, uint32_t count, uint64_t prp1, uint64_t prp2) {
  return Io({.opcode = kRead,
             .nsid = 1,
             .prp1 = prp1,
             .prp2 = prp2,
             .dw10 = static_cast<uint32_t>(block),
             .dw11 = static_cast<uint32_t>(block >> 32),
             .dw12 = count - 1});
}

std::optional<uint16_t> NvmeDriver::WriteBlocks(uint64_t block, uint32_t count, uint64_t prp1, uint64_t prp2) {
  return Io({.opcode = kWrite,
             .nsid = 1,
             .prp1 = prp1,
             .prp2 = prp2,
             .dw10 = static_cast<uint32_t>(block),
             .dw11 = static_cast<uint32_t>(block >> 32),
             .dw12 = count - 1});
}

}  // namespace p2pd::contract
