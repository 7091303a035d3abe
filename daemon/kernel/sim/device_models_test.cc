// The device models against drivers that get things wrong. That they get things right when driven well is
// the contract suite's to show, side by side with QEMU's.
#include <unistd.h>

#include <cstring>
#include <memory>

#include "daemon/kernel/sim/device_file.h"
#include "daemon/kernel/sim/device_model.h"
#include "daemon/kernel/sim/dma_engine.h"
#include "daemon/kernel/sim/iova_space.h"
#include "daemon/kernel/sim/nvme_controller.h"
#include "gtest/gtest.h"

namespace p2pd::sim {
namespace {

using nvme::SubmissionEntry;

// Memory from address 0 on; everything beyond faults.
class FakeDma final : public Dma {
 public:
  bool enabled() const override { return bus_master; }
  bool Read(uint64_t address, absl::Span<uint8_t> bytes) override {
    if (!Inside(address, bytes.size())) return false;
    memcpy(bytes.data(), memory.data() + address, bytes.size());
    return true;
  }
  bool Write(uint64_t address, absl::Span<const uint8_t> bytes) override {
    if (!Inside(address, bytes.size())) return false;
    memcpy(memory.data() + address, bytes.data(), bytes.size());
    return true;
  }

  bool bus_master = true;
  int faults = 0;
  std::vector<uint8_t> memory = std::vector<uint8_t>(1 << 20);

 private:
  bool Inside(uint64_t address, uint64_t length) {
    const bool inside = address <= memory.size() && length <= memory.size() - address;
    if (!inside) ++faults;
    return inside;
  }
};

TEST(DmaEngineTest, StaysInsideItsBuffer) {
  DeviceSpec spec;
  spec.bars[0].size = 0x100000;
  const auto file = *DeviceFile::Create(spec);
  DmaEngine engine(*file, 28);
  FakeDma dma;
  for (const auto& [destination, count] : std::vector<std::pair<uint64_t, uint64_t>>{
           {0, 16}, {0x3ffff, 2}, {0x40fff, 2}, {0x41000, 1}, {0x40000, UINT64_MAX}, {UINT64_MAX, 16}}) {
    file->Store64(0x80, 0);
    file->Store64(0x88, destination);
    file->Store64(0x90, count);
    file->Store64(0x98, 1);
    EXPECT_TRUE(engine.Step(dma));
    EXPECT_EQ(file->Load64(0x98), 0u);
    EXPECT_FALSE(engine.Step(dma));
  }
  EXPECT_EQ(dma.faults, 0);
}

TEST(DmaEngineTest, CutsAddressesToItsWidth) {
  DeviceSpec spec;
  spec.bars[0].size = 0x100000;
  const auto file = *DeviceFile::Create(spec);
  DmaEngine engine(*file, 28);
  FakeDma dma;
  file->Store64(0x80, 0x40000);
  file->Store64(0x88, 0xf0000100);
  file->Store64(0x90, 4);
  file->Store64(0x98, 3);
  dma.memory[0x100] = 0xff;
  EXPECT_TRUE(engine.Step(dma));
  EXPECT_EQ(dma.memory[0x100], 0);
}

TEST(DmaEngineTest, AnswersThatItIsAlive) {
  DeviceSpec spec;
  spec.bars[0].size = 0x100000;
  const auto file = *DeviceFile::Create(spec);
  DmaEngine engine(*file, 28);
  FakeDma dma;
  file->Store32(4, 0x12345678);
  engine.Step(dma);
  EXPECT_EQ(file->Load32(4), ~0x12345678u);
}

class NvmeControllerTest : public testing::Test {
 protected:
  static constexpr uint64_t kAdminQueue = 0x1000;
  static constexpr uint64_t kAdminCompletions = 0x2000;
  static constexpr uint64_t kQueue = 0x3000;
  static constexpr uint64_t kCompletions = 0x4000;
  static constexpr uint64_t kData = 0x10000;
  static constexpr uint32_t kEntries = 4;

  NvmeControllerTest() {
    spec_.vendor = 0x1b36;
    spec_.bars[0].size = 0x4000;
    spec_.bars[2] = {.size = 1 << 20, .prefetchable = true, .wide = true};
    file_ = *DeviceFile::Create(spec_);
    controller_ = std::make_unique<NvmeController>(*file_, spec_, *Disk::Open("", 1 << 20));
  }

  void Step() {
    while (controller_->Step(dma_)) {
    }
  }

  void Enable() {
    file_->Store32(nvme::kAqa, (kEntries - 1) << 16 | (kEntries - 1));
    file_->Store64(nvme::kAsq, kAdminQueue);
    file_->Store64(nvme::kAcq, kAdminCompletions);
    file_->Store32(nvme::kCc, 0x00460001);
    Step();
    admin_tail_ = admin_head_ = tail_ = head_ = 0;
    ASSERT_EQ(file_->Load32(nvme::kCsts), nvme::kCstsReady);
  }

  // Runs a command; its status without the phase.
  uint16_t Submit(uint16_t queue, SubmissionEntry command) {
    uint32_t& tail = queue == 0 ? admin_tail_ : tail_;
    uint32_t& head = queue == 0 ? admin_head_ : head_;
    command.id = static_cast<uint16_t>(tail + 100);
    memcpy(dma_.memory.data() + (queue == 0 ? kAdminQueue : kQueue) + tail * sizeof(command), &command,
           sizeof(command));
    tail = (tail + 1) % kEntries;
    file_->Store32(nvme::TailDoorbell(queue), tail);
    Step();
    nvme::CompletionEntry entry;
    memcpy(&entry, dma_.memory.data() + (queue == 0 ? kAdminCompletions : kCompletions) + head * sizeof(entry),
           sizeof(entry));
    EXPECT_EQ(entry.id, command.id);
    EXPECT_EQ(entry.sq_head, tail);
    head = (head + 1) % kEntries;
    file_->Store32(nvme::HeadDoorbell(queue), head);
    return static_cast<uint16_t>(entry.status >> 1);
  }

  static SubmissionEntry Command(uint8_t opcode) {
    SubmissionEntry command = {};
    command.opcode = opcode;
    command.prp1 = kData;
    return command;
  }
  static SubmissionEntry CreateQueue(uint8_t opcode, uint64_t base, uint32_t dw10, uint32_t dw11) {
    SubmissionEntry command = Command(opcode);
    command.prp1 = base;
    command.dw10 = dw10;
    command.dw11 = dw11;
    return command;
  }
  static SubmissionEntry Blocks(uint8_t opcode, uint64_t first, uint32_t count, uint64_t prp1, uint64_t prp2) {
    SubmissionEntry command = Command(opcode);
    command.nsid = 1;
    command.prp1 = prp1;
    command.prp2 = prp2;
    command.dw10 = static_cast<uint32_t>(first);
    command.dw11 = static_cast<uint32_t>(first >> 32);
    command.dw12 = count - 1;
    return command;
  }

  void CreateIoQueue() {
    ASSERT_EQ(Submit(0, CreateQueue(nvme::kCreateCompletionQueue, kCompletions, (kEntries - 1) << 16 | 1, 1)), 0);
    ASSERT_EQ(Submit(0, CreateQueue(nvme::kCreateSubmissionQueue, kQueue, (kEntries - 1) << 16 | 1, 1 << 16 | 1)), 0);
  }

  DeviceSpec spec_;
  std::unique_ptr<DeviceFile> file_;
  std::unique_ptr<NvmeController> controller_;
  FakeDma dma_;
  uint32_t admin_tail_ = 0;
  uint32_t admin_head_ = 0;
  uint32_t tail_ = 0;
  uint32_t head_ = 0;
};

TEST_F(NvmeControllerTest, PutsReadOnlyRegistersBack) {
  const uint64_t capabilities = file_->Load64(nvme::kCap);
  file_->Store64(nvme::kCap, 0);
  file_->Store32(nvme::kCsts, 0xffffffff);
  Step();
  EXPECT_EQ(file_->Load64(nvme::kCap), capabilities);
  EXPECT_EQ(file_->Load32(nvme::kCsts), 0u);
}

TEST_F(NvmeControllerTest, FailsWhereItsQueuesCannotBe) {
  file_->Store32(nvme::kAqa, 0x00030003);
  file_->Store64(nvme::kAsq, kAdminQueue + 8);
  file_->Store64(nvme::kAcq, kAdminCompletions);
  file_->Store32(nvme::kCc, 0x00460001);
  Step();
  EXPECT_EQ(file_->Load32(nvme::kCsts), nvme::kCstsFatal);
  file_->Store32(nvme::kCc, 0);
  Step();
  EXPECT_EQ(file_->Load32(nvme::kCsts), 0u);
  Enable();
}

TEST_F(NvmeControllerTest, FailsWhenItCannotFetchACommand) {
  Enable();
  file_->Store64(nvme::kAsq, UINT64_MAX - 0xfff);  // too late to matter
  ASSERT_EQ(Submit(0, Command(nvme::kAbort)), 0);
  file_->Store32(nvme::kCc, 0);
  Step();
  file_->Store32(nvme::kCc, 0x00460001);
  Step();
  file_->Store32(nvme::TailDoorbell(0), 1);
  Step();
  EXPECT_EQ(file_->Load32(nvme::kCsts) & nvme::kCstsFatal, nvme::kCstsFatal);
}

TEST_F(NvmeControllerTest, IgnoresADoorbellBeyondItsQueue) {
  Enable();
  file_->Store32(nvme::TailDoorbell(0), kEntries);
  EXPECT_FALSE(controller_->Step(dma_));
  file_->Store32(nvme::TailDoorbell(0), 0xffffffff);
  EXPECT_FALSE(controller_->Step(dma_));
  file_->Store32(nvme::TailDoorbell(0), 0);
  EXPECT_EQ(Submit(0, Command(nvme::kAbort)), 0);
}

TEST_F(NvmeControllerTest, WaitsForRoomInTheCompletionQueue) {
  Enable();
  const SubmissionEntry command = Command(nvme::kAbort);
  for (int i = 0; i < 3; ++i) memcpy(dma_.memory.data() + kAdminQueue + i * 64, &command, sizeof(command));
  file_->Store32(nvme::HeadDoorbell(0), 2);  // the driver has yet to take what is at 2: room for one
  file_->Store32(nvme::TailDoorbell(0), 3);
  Step();
  EXPECT_EQ(dma_.memory[kAdminCompletions + 14] & 1, 1);
  EXPECT_EQ(dma_.memory[kAdminCompletions + 16 + 14] & 1, 0);
  file_->Store32(nvme::HeadDoorbell(0), kEntries + 5);
  EXPECT_FALSE(controller_->Step(dma_));
  file_->Store32(nvme::HeadDoorbell(0), 0);
  Step();
  EXPECT_EQ(dma_.memory[kAdminCompletions + 32 + 14] & 1, 1);
}

TEST_F(NvmeControllerTest, DoesNothingWithoutBusMastering) {
  Enable();
  dma_.bus_master = false;
  file_->Store32(nvme::TailDoorbell(0), 1);
  EXPECT_FALSE(controller_->Step(dma_));
  dma_.bus_master = true;
  EXPECT_TRUE(controller_->Step(dma_));
}

TEST_F(NvmeControllerTest, RefusesQueuesThatMakeNoSense) {
  Enable();
  constexpr uint32_t kGood = 3u << 16 | 1;
  using nvme::kCreateCompletionQueue;
  using nvme::kCreateSubmissionQueue;
  EXPECT_EQ(Submit(0, CreateQueue(kCreateCompletionQueue, kCompletions, 3u << 16, 1)), nvme::kInvalidQueueId);
  EXPECT_EQ(Submit(0, CreateQueue(kCreateCompletionQueue, kCompletions, 3u << 16 | 65, 1)), nvme::kInvalidQueueId);
  EXPECT_EQ(Submit(0, CreateQueue(kCreateCompletionQueue, kCompletions, 1, 1)), nvme::kInvalidQueueSize);
  EXPECT_EQ(Submit(0, CreateQueue(kCreateCompletionQueue, kCompletions, 0xffff0001, 1)), nvme::kInvalidQueueSize);
  EXPECT_EQ(Submit(0, CreateQueue(kCreateCompletionQueue, kCompletions, kGood, 0)), nvme::kInvalidField);
  EXPECT_EQ(Submit(0, CreateQueue(kCreateCompletionQueue, kCompletions + 16, kGood, 1)), nvme::kInvalidPrpOffset);
  EXPECT_EQ(Submit(0, CreateQueue(kCreateSubmissionQueue, kQueue, kGood, 1 << 16 | 1)), nvme::kInvalidCompletionQueue);
  EXPECT_EQ(Submit(0, CreateQueue(kCreateSubmissionQueue, kQueue, kGood, 1)), nvme::kInvalidCompletionQueue);
}

TEST_F(NvmeControllerTest, DeletesASubmissionQueueBeforeItsCompletionQueue) {
  Enable();
  CreateIoQueue();
  SubmissionEntry delete_completions = Command(nvme::kDeleteCompletionQueue);
  SubmissionEntry delete_submissions = Command(nvme::kDeleteSubmissionQueue);
  delete_completions.dw10 = delete_submissions.dw10 = 1;
  EXPECT_EQ(Submit(0, delete_completions), nvme::kInvalidQueueDeletion);
  EXPECT_EQ(Submit(0, delete_submissions), 0);
  EXPECT_EQ(Submit(0, delete_submissions), nvme::kInvalidQueueId);
  EXPECT_EQ(Submit(0, delete_completions), 0);
  EXPECT_EQ(Submit(0, Command(nvme::kDeleteSubmissionQueue)), nvme::kInvalidQueueId);
}

TEST_F(NvmeControllerTest, RefusesIoThatMakesNoSense) {
  Enable();
  CreateIoQueue();
  SubmissionEntry elsewhere = Blocks(nvme::kRead, 0, 1, kData, 0);
  elsewhere.nsid = 2;
  EXPECT_EQ(Submit(1, elsewhere), nvme::kInvalidNamespace);
  EXPECT_EQ(Submit(1, Blocks(0x99, 0, 1, kData, 0)), nvme::kInvalidOpcode);
  EXPECT_EQ(Submit(1, Blocks(nvme::kRead, 2047, 2, kData, 0)), nvme::kLbaOutOfRange);
  EXPECT_EQ(Submit(1, Blocks(nvme::kRead, UINT64_MAX, 2, kData, 0)), nvme::kLbaOutOfRange);
  EXPECT_EQ(Submit(1, Blocks(nvme::kRead, 0, 1025, kData, 0)), nvme::kInvalidField);
  EXPECT_EQ(Submit(1, Blocks(nvme::kRead, 0, 1, kData + 2, 0)), nvme::kInvalidPrpOffset);
  EXPECT_EQ(Submit(1, Blocks(nvme::kRead, 0, 16, kData, kData + 8)), nvme::kInvalidPrpOffset);
  EXPECT_EQ(Submit(1, Blocks(nvme::kRead, 0, 32, kData, kData + 4)), nvme::kInvalidPrpOffset);
  EXPECT_EQ(Submit(1, Blocks(nvme::kRead, 0, 1, uint64_t{1} << 40, 0)), nvme::kDataTransferError);
  EXPECT_EQ(Submit(1, Blocks(nvme::kRead, 0, 32, kData, uint64_t{1} << 40)), nvme::kDataTransferError);
}

TEST_F(NvmeControllerTest, EndsAPageListThatLoops) {
  Enable();
  CreateIoQueue();
  // The last entry of a page leads to itself, as long as more than one page is left.
  constexpr uint64_t kLast = kData + kPageSize - 8;
  memcpy(dma_.memory.data() + kLast, &kLast, sizeof(kLast));
  EXPECT_EQ(Submit(1, Blocks(nvme::kRead, 0, 1024, kData + kPageSize, kLast)), nvme::kInvalidField);
}

TEST_F(NvmeControllerTest, FollowsAPageListAcrossPages) {
  Enable();
  CreateIoQueue();
  // Two entries in the first page of the list: a page of data, and the way to the rest.
  constexpr uint64_t kList = kData + kPageSize - 16;
  const uint64_t first[2] = {0x20000, kData + kPageSize};
  memcpy(dma_.memory.data() + kList, first, sizeof(first));
  const uint64_t rest[2] = {0x30000, 0x40000};
  memcpy(dma_.memory.data() + kData + kPageSize, rest, sizeof(rest));
  for (const uint64_t page : {0x50000, 0x20000, 0x30000, 0x40000}) memset(&dma_.memory[page], page >> 16, kPageSize);
  ASSERT_EQ(Submit(1, Blocks(nvme::kWrite, 8, 32, 0x50000, kList)), 0);
  for (const uint64_t page : {0x50000, 0x20000, 0x30000, 0x40000}) memset(&dma_.memory[page], 0, kPageSize);
  ASSERT_EQ(Submit(1, Blocks(nvme::kRead, 8, 32, 0x50000, kList)), 0);
  for (const uint64_t page : {0x50000, 0x20000, 0x30000, 0x40000}) {
    EXPECT_EQ(dma_.memory[page], page >> 16);
    EXPECT_EQ(dma_.memory[page + kPageSize - 1], page >> 16);
  }
}

TEST_F(NvmeControllerTest, ShowsItsMemoryBufferOnceThatIsEnabled) {
  EXPECT_FALSE(controller_->Answers(2));
  EXPECT_EQ(file_->Load32(nvme::kCmbsz), 0u);
  file_->Store64(nvme::kCmbmsc, nvme::kCmbmscCapabilities);
  Step();
  EXPECT_FALSE(controller_->Answers(2));
  EXPECT_EQ(file_->Load32(nvme::kCmbloc), 2u);
  EXPECT_EQ(file_->Load32(nvme::kCmbsz) >> 12, 1u);
  file_->Store64(nvme::kCmbmsc, nvme::kCmbmscCapabilities | nvme::kCmbmscSpace);
  EXPECT_TRUE(controller_->Answers(2));
  controller_->Reset();
  EXPECT_FALSE(controller_->Answers(2));
  EXPECT_EQ(file_->Load32(nvme::kCmbsz), 0u);
}

TEST_F(NvmeControllerTest, ReachesItsOwnMemoryBufferWithoutTheBus) {
  constexpr uint64_t kBase = uint64_t{1} << 40;
  Enable();
  CreateIoQueue();
  EXPECT_EQ(Submit(1, Blocks(nvme::kRead, 0, 1, kBase, 0)), nvme::kDataTransferError);
  file_->Store64(nvme::kCmbmsc, kBase | nvme::kCmbmscCapabilities | nvme::kCmbmscSpace);
  const std::vector<uint8_t> pattern(kBlockSize, 0x5a);
  memcpy(dma_.memory.data() + kData, pattern.data(), pattern.size());
  ASSERT_EQ(Submit(1, Blocks(nvme::kWrite, 0, 1, kData, 0)), 0);
  const int faults = dma_.faults;
  ASSERT_EQ(Submit(1, Blocks(nvme::kRead, 0, 1, kBase + 0x1000, 0)), 0);
  EXPECT_EQ(dma_.faults, faults);
  std::vector<uint8_t> found(kBlockSize);
  file_->Read(2, 0x1000, absl::MakeSpan(found));
  EXPECT_EQ(found, pattern);
  EXPECT_EQ(Submit(1, Blocks(nvme::kRead, 0, 1, kBase + (1 << 20), 0)), nvme::kDataTransferError);
}

TEST_F(NvmeControllerTest, OutlivesAnythingInItsQueues) {
  Enable();
  CreateIoQueue();
  uint32_t seed = 1;
  const auto random = [&seed] { return seed = seed * 1664525 + 1013904223; };
  for (int i = 0; i < 20000; ++i) {
    SubmissionEntry command;
    uint32_t words[16];
    for (uint32_t& word : words) word = random();
    memcpy(&command, words, sizeof(command));
    // Near enough to what is meant that most of it gets past the first check.
    command.opcode = static_cast<uint8_t>(random() >> 8) % 14;
    command.nsid = random() >> 30;
    command.prp1 = (random() >> 8) % (dma_.memory.size() * 2) & ~uint64_t{(random() >> 30) == 0 ? 3u : 4095u};
    command.prp2 = (random() >> 8) % (dma_.memory.size() * 2) & ~uint64_t{(random() >> 30) == 0 ? 7u : 4095u};
    command.dw10 = (random() >> 28) | (random() >> 28) << 16;
    command.dw11 = (random() >> 31) | (random() >> 30) << 16;
    command.dw12 = random() >> 22;
    const int queue = static_cast<int>(random() >> 31);
    const uint64_t at = (queue == 0 ? kAdminQueue : kQueue) + (random() >> 30) * sizeof(command);
    memcpy(dma_.memory.data() + at, &command, sizeof(command));
    file_->Store32(nvme::TailDoorbell(queue), random() >> 30);
    file_->Store32(nvme::HeadDoorbell(queue), random() >> 30);
    controller_->Step(dma_);
    if ((file_->Load32(nvme::kCsts) & nvme::kCstsFatal) != 0 || i % 500 == 499) {
      file_->Store32(nvme::kCc, 0);
      Step();
      dma_.memory.assign(dma_.memory.size(), 0);
      Enable();
      CreateIoQueue();
    }
  }
}

}  // namespace
}  // namespace p2pd::sim
