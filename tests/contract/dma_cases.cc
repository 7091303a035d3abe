// Bytes that devices move: to memory, to each other's windows, and to each other's doorbells.
#include <fcntl.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "tests/contract/fixture.h"
#include "tests/contract/nvme_driver.h"

namespace p2pd::contract {
namespace {

TEST_F(DmaTest, MovesBytesInMemory) {
  memory_.Write(0, Pattern(1));
  EXPECT_EQ(Fetch(kMemoryIova), Pattern(1, kChunk));
  Put(kMemoryIova + 2 * kPage + 512, Pattern(2, kChunk));
  EXPECT_EQ(memory_.Read(2 * kPage + 512, kChunk), Pattern(2, kChunk));
}

TEST_F(DmaTest, CrossesFromOneMappingIntoTheNext) {
  const Memory other;
  ASSERT_THAT(Map(context_, ioas_, other.fd(), kMemoryIova + 16 * kPage, kPage), Succeeds());
  Put(kMemoryIova + 16 * kPage - 512, Pattern(3, kChunk));
  const Bytes pattern = Pattern(3, kChunk);
  EXPECT_EQ(memory_.Read(16 * kPage - 512, 512), Bytes(pattern.begin(), pattern.begin() + 512));
  EXPECT_EQ(other.Read(0, 512), Bytes(pattern.begin() + 512, pattern.end()));
}

TEST_F(DmaTest, NeedsBusMastering) {
  memory_.Write(0, Pattern(4));
  Load(kMemoryIova);
  ASSERT_THAT(SetCommandBits(engine_, kBusMaster, false), Succeeds());
  Store(kMemoryIova + kPage);
  EXPECT_EQ(memory_.Read(kPage, kChunk), Bytes(kChunk, 0));
  ASSERT_THAT(SetCommandBits(engine_, kBusMaster, true), Succeeds());
  Store(kMemoryIova + kPage);
  EXPECT_EQ(memory_.Read(kPage, kChunk), Pattern(4, kChunk));
}

TEST_F(DmaTest, GoesFromDeviceToDevice) {
  const UniqueFd nvme = OpenBound(Role::kExporter, context_);
  const UniqueFd plain = OpenBound(Role::kPlainMemory, context_);
  const absl::StatusOr<UniqueFd> from = Export(nvme, kPage);
  const absl::StatusOr<UniqueFd> to = Export(plain, kPage);
  ASSERT_THAT(from, Succeeds());
  ASSERT_THAT(to, Succeeds());
  ASSERT_THAT(Map(context_, ioas_, *from, kWindowIova, kPage, 0, Access::kRead), Succeeds());
  ASSERT_THAT(Map(context_, ioas_, *to, kWindowIova + kPage, kPage), Succeeds());
  EnableMemoryBuffer(nvme);
  WriteBar(nvme, kMemoryBar, 0, Pattern(5));
  Load(kWindowIova);
  Store(kWindowIova + kPage);
  EXPECT_EQ(ReadBar(plain, kMemoryBar, 0, kChunk), Pattern(5, kChunk));
}

// The second NVMe, driven from here, its queues in memory_ and its address space shared with the engine.
class NvmeTest : public DmaTest {
 protected:
  static constexpr uint64_t kData = 8 * kPage;  // in memory_

  void SetUp() override {
    DmaTest::SetUp();
    nvme_ = OpenAttached(Role::kSecondNvme, context_, ioas_);
    const absl::StatusOr<RegionInfo> registers = kernel().GetRegionInfo(nvme_, 0);
    ASSERT_THAT(registers, Succeeds());
    driver_.emplace(nvme_, registers->offset, memory_, kMemoryIova);
    ASSERT_TRUE(driver_->Enable());
  }

  static NvmeDriver::Command Identify(uint64_t to) { return {.opcode = 6, .prp1 = to, .dw10 = 1}; }

  // A page list for `pages` pages from `first` on, at `offset` in memory_.
  void WriteList(uint64_t offset, uint64_t first, int pages) {
    Bytes list(pages * sizeof(uint64_t));
    for (int i = 0; i < pages; ++i) {
      const uint64_t address = first + i * kPage;
      memcpy(list.data() + i * sizeof(address), &address, sizeof(address));
    }
    memory_.Write(offset, list);
  }

  UniqueFd nvme_;
  std::optional<NvmeDriver> driver_;
};

TEST_F(NvmeTest, SaysWhoItIs) {
  ASSERT_EQ(driver_->Admin(Identify(kMemoryIova + kData)), 0);
  EXPECT_EQ(memory_.Read(kData, 2), (Bytes{0x36, 0x1b}));
}

TEST_F(NvmeTest, RefusesWhatItDoesNotKnow) {
  const std::optional<uint16_t> status = driver_->Admin({.opcode = 0x7f});
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(*status & 0x7ff, 1);  // Invalid Command Opcode
}

TEST_F(NvmeTest, KeepsWhatWasWrittenToItsDisk) {
  ASSERT_TRUE(driver_->CreateIoQueue());
  memory_.Write(kData, Pattern(1, 2 * kPage));
  const uint64_t data = kMemoryIova + kData;
  ASSERT_EQ(driver_->WriteBlocks(40, 16, data, data + kPage), 0);
  memory_.Write(kData, Bytes(2 * kPage, 0));
  ASSERT_EQ(driver_->ReadBlocks(40, 16, data, data + kPage), 0);
  EXPECT_EQ(memory_.Read(kData, 2 * kPage), Pattern(1, 2 * kPage));
}

TEST_F(NvmeTest, GoesRoundItsQueues) {
  for (int i = 0; i < 50; ++i) ASSERT_EQ(driver_->Admin(Identify(kMemoryIova + kData)), 0);
}

TEST_F(NvmeTest, RefusesBlocksBeyondItsDisk) {
  ASSERT_TRUE(driver_->CreateIoQueue());
  const std::optional<uint16_t> status = driver_->ReadBlocks(uint64_t{1} << 60, 1, kMemoryIova + kData);
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(*status & 0x7ff, 0x80);  // LBA Out of Range
}

TEST_F(NvmeTest, MovesItsDiskIntoAnotherDevicesWindow) {
  constexpr int kPages = 32;
  const UniqueFd exporter = OpenBound(Role::kExporter, context_);
  EnableMemoryBuffer(exporter);
  const absl::StatusOr<UniqueFd> window = Export(exporter, 64 * kPage);
  ASSERT_THAT(window, Succeeds());
  ASSERT_THAT(Map(context_, ioas_, *window, kWindowIova, 64 * kPage), Succeeds());
  ASSERT_TRUE(driver_->CreateIoQueue());

  // From the window to the disk, and back into another part of it.
  WriteBar(exporter, kMemoryBar, 0, Pattern(2, kPages * kPage));
  constexpr uint64_t kList = 12 * kPage;
  constexpr uint64_t kSecondHalf = kPages * kPage;
  WriteList(kList, kWindowIova + kPage, kPages - 1);
  ASSERT_EQ(driver_->WriteBlocks(1024, kPages * 8, kWindowIova, kMemoryIova + kList), 0);
  WriteList(kList, kWindowIova + kSecondHalf + kPage, kPages - 1);
  ASSERT_EQ(driver_->ReadBlocks(1024, kPages * 8, kWindowIova + kSecondHalf, kMemoryIova + kList), 0);
  EXPECT_EQ(ReadBar(exporter, kMemoryBar, kSecondHalf, kPages * kPage), Pattern(2, kPages * kPage));
}

TEST_F(NvmeTest, HearsADoorbellThatAnotherDeviceRings) {
  const absl::StatusOr<UniqueFd> doorbells = Export(nvme_, kPage, NvmeDriver::kAdminDoorbell, 0);
  ASSERT_THAT(doorbells, Succeeds());
  ASSERT_THAT(Map(context_, ioas_, *doorbells, kWindowIova, kPage), Succeeds());
  const uint32_t tail = driver_->PrepareAdmin(Identify(kMemoryIova + kData));
  Bytes value(sizeof(tail));
  memcpy(value.data(), &tail, sizeof(tail));
  memory_.Write(14 * kPage, value);
  Load(kMemoryIova + 14 * kPage, sizeof(tail));
  Store(kWindowIova, sizeof(tail));
  ASSERT_EQ(driver_->AwaitAdmin(), 0);
  EXPECT_EQ(memory_.Read(kData, 2), (Bytes{0x36, 0x1b}));
}

TEST_F(NvmeTest, WritesNothingIntoAWindowThatWasRevoked) {
  const UniqueFd exporter = OpenBound(Role::kExporter, context_);
  const absl::StatusOr<UniqueFd> window = Export(exporter, kPage);
  ASSERT_THAT(window, Succeeds());
  ASSERT_THAT(Map(context_, ioas_, *window, kWindowIova, kPage), Succeeds());
  ASSERT_TRUE(driver_->CreateIoQueue());
  memory_.Write(kData, Pattern(3));
  ASSERT_EQ(driver_->WriteBlocks(0, 8, kMemoryIova + kData), 0);

  ASSERT_THAT(kernel().ResetDevice(exporter), Succeeds());
  EnableMemoryBuffer(exporter);
  WriteBar(exporter, kMemoryBar, 0, Pattern(4));
  driver_->ReadBlocks(0, 8, kWindowIova);  // whatever it answers: QEMU's says that all went well
  EXPECT_EQ(ReadBar(exporter, kMemoryBar, 0), Pattern(4));
}

// Pages that were allocated and never touched hold what was there before. Pinned as they are, they are cleared at
// the first touch: with what the device has written by then.
TEST_F(DmaTest, FindsPreparedMemoryClearAndWhatItWritesThereStays) {
  const Memory fresh(4 * kPage);
  ASSERT_EQ(fallocate(fresh.fd().get(), 0, 0, 4 * kPage), 0);
  ASSERT_THAT(kernel().PrepareMemory(fresh.fd(), {.start = 0, .length = 4 * kPage}), Succeeds());
  ASSERT_THAT(Map(context_, ioas_, fresh.fd(), kWindowIova, 4 * kPage), Succeeds());
  EXPECT_EQ(Fetch(kWindowIova), Bytes(kChunk));
  Put(kWindowIova + 2 * kPage, Pattern(6, kChunk));
  EXPECT_EQ(fresh.Read(2 * kPage, kChunk), Pattern(6, kChunk));
}

TEST_F(DmaTest, OnlyWhatCanBeReadCanBePrepared) {
  const Memory memory(kPage);
  const UniqueFd write_only(open(absl::StrCat("/proc/self/fd/", memory.fd().get()).c_str(), O_WRONLY | O_CLOEXEC));
  EXPECT_THAT(kernel().PrepareMemory(write_only, {.start = 0, .length = kPage}), FailsWith(EACCES));
  EXPECT_THAT(kernel().PrepareMemory(memory.fd(), {.start = 0, .length = 2 * kPage}), FailsWith(EFAULT));
}

}  // namespace
}  // namespace p2pd::contract
