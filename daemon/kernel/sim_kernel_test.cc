// What SimKernel can do beyond the Kernel interface, and what the sample machine cannot show. The interface
// itself is tested by tests/contract, here and on Linux alike.
#include "daemon/kernel/sim_kernel.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>

#include "daemon/kernel/sim_kernel_fixture.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

constexpr uint64_t kCmbmsc = 0x50;

// Three functions of one device, all in one IOMMU group.
constexpr char kOneGroup[] = R"pb(
  device {
    bdf: "0000:03:00.0"
    iommu_group: 5
    bar { index: 0 size: 0x10000 }
  }
  device {
    bdf: "0000:03:00.1"
    iommu_group: 5
    bar { index: 0 size: 0x10000 }
  }
  device {
    bdf: "0000:04:00.0"
    iommu_group: 6
    bar { index: 0 size: 0x100 io: true }
    dma_address_bits: 32
  }
)pb";

TEST_F(SimKernelTest, SaysWhatADeviceCanReach) {
  const UniqueFd engine = OpenAttached(kEngine);
  const UniqueFd plain = OpenBound(kPlain);
  const UniqueFd window = *kernel_->ExportDmaBuf(plain, 2, {.start = kPage, .length = kPage});
  EXPECT_FALSE(kernel_->CanReach(kEngine, kPlain, 2, kPage));
  ASSERT_EQ(Map(window), absl::OkStatus());
  EXPECT_TRUE(kernel_->CanReach(kEngine, kPlain, 2, kPage));
  EXPECT_TRUE(kernel_->CanReach(kEngine, kPlain, 2, 2 * kPage - 1));
  EXPECT_FALSE(kernel_->CanReach(kEngine, kPlain, 2, 2 * kPage));
  EXPECT_FALSE(kernel_->CanReach(kEngine, kPlain, 2, kPage - 1));
  EXPECT_FALSE(kernel_->CanReach(kEngine, kPlain, 0, kPage));
  EXPECT_FALSE(kernel_->CanReach(kPlain, kPlain, 2, kPage));
  ASSERT_EQ(kernel_->Unmap(context_, ioas_, {.start = kIova, .length = kPage}), absl::OkStatus());
  EXPECT_FALSE(kernel_->CanReach(kEngine, kPlain, 2, kPage));
}

TEST_F(SimKernelTest, SaysThatADetachedDeviceReachesNothing) {
  const UniqueFd engine = OpenAttached(kEngine);
  const UniqueFd memory = NewMemory();
  ASSERT_EQ(Map(memory), absl::OkStatus());
  EXPECT_TRUE(kernel_->CanReachFile(kEngine, memory, 0));
  EXPECT_FALSE(kernel_->CanReachFile(kEngine, memory, kPage));
  ASSERT_EQ(kernel_->DetachDevice(engine), absl::OkStatus());
  EXPECT_FALSE(kernel_->CanReachFile(kEngine, memory, 0));
}

TEST_F(SimKernelTest, ReportsWhatTheIommuStopped) {
  const UniqueFd engine = OpenAttached(kEngine);
  const UniqueFd memory = NewMemory();
  ASSERT_EQ(Map(memory, kIova, kPage, Access::kRead), absl::OkStatus());
  uint8_t bytes[8] = {};
  EXPECT_TRUE(kernel_->DmaRead(kEngine, kIova, absl::MakeSpan(bytes)));
  EXPECT_TRUE(kernel_->faults().empty());
  EXPECT_FALSE(kernel_->DmaWrite(kEngine, kIova, bytes));
  EXPECT_FALSE(kernel_->DmaRead(kEngine, kIova + kPage - 4, absl::MakeSpan(bytes)));
  EXPECT_THAT(kernel_->faults(),
              testing::ElementsAre(sim::DmaFault{.device = kEngine, .iova = kIova, .write = true},
                                   sim::DmaFault{.device = kEngine, .iova = kIova + kPage, .write = false}));
}

TEST_F(SimKernelTest, StopsAddressesThatADeviceCannotMake) {
  UseMachine(kOneGroup);
  constexpr PciAddress kNarrow = {.bus = 4};
  const UniqueFd narrow = OpenAttached(kNarrow);
  const UniqueFd memory = NewMemory();
  ASSERT_EQ(Map(memory, uint64_t{1} << 32), absl::OkStatus());
  uint8_t bytes[8] = {};
  EXPECT_FALSE(kernel_->DmaRead(kNarrow, uint64_t{1} << 32, absl::MakeSpan(bytes)));
}

TEST_F(SimKernelTest, DropsWhatPeersWriteIntoAMemoryBufferThatIsNotEnabled) {
  const UniqueFd engine = OpenAttached(kEngine);
  const UniqueFd nvme = OpenBound(kNvme);
  const UniqueFd window = *kernel_->ExportDmaBuf(nvme, 2, {.start = 0, .length = kPage});
  ASSERT_EQ(Map(window), absl::OkStatus());
  const uint8_t written[4] = {1, 2, 3, 4};
  uint8_t found[4] = {};
  EXPECT_TRUE(kernel_->DmaWrite(kEngine, kIova, written));
  EXPECT_TRUE(kernel_->DmaRead(kEngine, kIova, absl::MakeSpan(found)));
  EXPECT_THAT(found, testing::Each(0xff));

  const uint64_t enable = 3;
  const RegionInfo registers = *kernel_->GetRegionInfo(nvme, 0);
  ASSERT_EQ(pwrite(nvme.get(), &enable, sizeof(enable), registers.offset + kCmbmsc), 8);
  EXPECT_TRUE(kernel_->DmaRead(kEngine, kIova, absl::MakeSpan(found)));
  EXPECT_THAT(found, testing::Each(0));
  EXPECT_TRUE(kernel_->DmaWrite(kEngine, kIova, written));
  EXPECT_TRUE(kernel_->DmaRead(kEngine, kIova, absl::MakeSpan(found)));
  EXPECT_THAT(found, testing::ElementsAre(1, 2, 3, 4));
}

// As QEMU's NVMe does.
TEST_F(SimKernelTest, AResetKeepsWhatTheMemoryHeld) {
  const UniqueFd nvme = OpenBound(kNvme);
  const RegionInfo memory = *kernel_->GetRegionInfo(nvme, 2);
  const uint8_t secret[4] = {1, 2, 3, 4};
  ASSERT_EQ(pwrite(nvme.get(), secret, sizeof(secret), memory.offset + kPage), 4);
  ASSERT_EQ(kernel_->ResetDevice(nvme), absl::OkStatus());
  uint8_t found[4] = {9, 9, 9, 9};
  ASSERT_EQ(pread(nvme.get(), found, sizeof(found), memory.offset + kPage), 4);
  EXPECT_THAT(found, testing::ElementsAreArray(secret));
}

// ---- IOMMU groups --------------------------------------------------------------------------------------

TEST_F(SimKernelTest, AGroupBelongsToOneContext) {
  UseMachine(kOneGroup);
  UniqueFd first = OpenBound({.bus = 3});
  const UniqueFd second = Open({.bus = 3, .function = 1});
  const UniqueFd other = *kernel_->OpenContext();
  EXPECT_EQ(ErrnoOf(kernel_->BindDevice(second, other)), EPERM);
  first.Reset();
  EXPECT_EQ(kernel_->BindDevice(second, other), absl::OkStatus());
}

TEST_F(SimKernelTest, AGroupHasOneAddressSpace) {
  UseMachine(kOneGroup);
  const UniqueFd first = OpenAttached({.bus = 3});
  const UniqueFd second = OpenBound({.bus = 3, .function = 1});
  const IoasId other = *kernel_->AllocIoas(context_);
  EXPECT_EQ(ErrnoOf(kernel_->AttachDevice(second, other)), EINVAL);
  EXPECT_EQ(kernel_->AttachDevice(second, ioas_), absl::OkStatus());
  // Moving one of them moves both.
  EXPECT_EQ(kernel_->AttachDevice(second, other), absl::OkStatus());
  EXPECT_EQ(kernel_->DestroyIoas(context_, ioas_), absl::OkStatus());
  EXPECT_EQ(kernel_->DetachDevice(second), absl::OkStatus());
  EXPECT_EQ(ErrnoOf(kernel_->DestroyIoas(context_, other)), EBUSY);
}

TEST_F(SimKernelTest, PortsAreNotExported) {
  UseMachine(kOneGroup);
  const UniqueFd device = OpenBound({.bus = 4});
  EXPECT_EQ(ErrnoOf(kernel_->ExportDmaBuf(device, 0, {.start = 0, .length = kPage}).status()), EINVAL);
  EXPECT_FALSE(kernel_->GetRegionInfo(device, 0)->mappable);
}

// ---- Other processes -----------------------------------------------------------------------------------

// Runs `work` in a child that inherited everything; whether it returned true.
bool InAnotherProcess(const std::function<bool()>& work) {
  const pid_t child = fork();
  if (child == 0) _exit(work() ? 0 : 1);
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST_F(SimKernelTest, ADriverInAnotherProcessSharesTheDevicesMemory) {
  const UniqueFd plain = OpenBound(kPlain);
  const auto at = static_cast<off_t>(kernel_->GetRegionInfo(plain, 2)->offset);
  const uint32_t value = 0x12345678;
  EXPECT_TRUE(InAnotherProcess([&] {
    void* const map = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, plain.get(), at);
    if (map == MAP_FAILED) return false;
    memcpy(map, &value, sizeof(value));
    return true;
  }));
  uint32_t found = 0;
  EXPECT_EQ(pread(plain.get(), &found, sizeof(found), at), 4);
  EXPECT_EQ(found, value);
}

TEST_F(SimKernelTest, ADriverInAnotherProcessRevokesByTurningMemoryDecodeOff) {
  const UniqueFd engine = OpenAttached(kEngine);
  const UniqueFd plain = OpenBound(kPlain);
  const UniqueFd window = *kernel_->ExportDmaBuf(plain, 2, {.start = 0, .length = kPage});
  ASSERT_EQ(Map(window), absl::OkStatus());
  const auto command = static_cast<off_t>(kernel_->GetRegionInfo(plain, kConfigRegion)->offset + 4);
  EXPECT_TRUE(InAnotherProcess([&] {
    const uint16_t off = 0;
    return pwrite(plain.get(), &off, sizeof(off), command) == 2;
  }));
  EXPECT_FALSE(kernel_->CanReach(kEngine, kPlain, 2, 0));
  EXPECT_EQ(ErrnoOf(Map(window, kIova + kPage)), ENODEV);
}

TEST_F(SimKernelTest, ADriverInAnotherProcessCannotChangeWhatTheDeviceIs) {
  const UniqueFd plain = OpenBound(kPlain);
  const auto config = static_cast<off_t>(kernel_->GetRegionInfo(plain, kConfigRegion)->offset);
  EXPECT_TRUE(InAnotherProcess([&] {
    const uint32_t nonsense = 0xdeadbeef;
    return pwrite(plain.get(), &nonsense, sizeof(nonsense), config) == 4;
  }));
  uint8_t id[4] = {};
  ASSERT_EQ(kernel_->ReadConfig(plain, 0, id), absl::OkStatus());
  EXPECT_THAT(id, testing::ElementsAre(0xf4, 0x1a, 0x10, 0x11));
}

}  // namespace
}  // namespace p2pd
