// SimKernel among threads: what waits for a reset, what does not, and devices that act on their own.
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <thread>
#include <vector>

#include "daemon/kernel/sim_kernel_fixture.h"
#include "daemon/kernel/sim_stepper.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using SimKernelThreadsTest = SimKernelTest;

TEST_F(SimKernelThreadsTest, AResetHoldsUpItsDeviceAndNobodyElse) {
  std::atomic<bool> sleeping = false;
  std::atomic<bool> enough = false;
  absl::Duration slept;
  const SimKernel::Options options = {.sleep = [&](absl::Duration duration) {
    slept = duration;
    sleeping = true;
    while (!enough) std::this_thread::yield();
  }};
  Use(SimKernel::CreateFromFile("deploy/simulation/two_nvme.textproto", options));
  const UniqueFd engine = OpenAttached(kEngine);
  const UniqueFd nvme = OpenBound(kNvme);
  const UniqueFd window = *kernel_->ExportDmaBuf(nvme, 2, {.start = 0, .length = kPage});
  ASSERT_EQ(Map(window), absl::OkStatus());

  std::thread resetter([&] { EXPECT_EQ(kernel_->ResetDevice(nvme), absl::OkStatus()); });
  while (!sleeping) std::this_thread::yield();
  EXPECT_EQ(slept, absl::Milliseconds(100));
  // The mapping is dead by now, can be unmapped, and cannot be made anew.
  EXPECT_FALSE(kernel_->CanReach(kEngine, kNvme, 2, 0));
  EXPECT_EQ(kernel_->Unmap(context_, ioas_, {.start = kIova, .length = kPage}), absl::OkStatus());
  EXPECT_EQ(ErrnoOf(Map(window)), ENODEV);
  EXPECT_EQ(kernel_->GetDeviceInfo(nvme).status(), absl::OkStatus());

  std::atomic<bool> read = false;
  std::thread reader([&] {
    uint8_t bytes[2];
    EXPECT_EQ(kernel_->ReadConfig(nvme, 0, bytes), absl::OkStatus());
    EXPECT_TRUE(enough);
    read = true;
  });
  EXPECT_FALSE(read);
  enough = true;
  resetter.join();
  reader.join();
  EXPECT_TRUE(read);
  EXPECT_EQ(Map(window), absl::OkStatus());
}

TEST_F(SimKernelThreadsTest, DevicesActOnTheirOwnWhileTheStepperRuns) {
  const SimStepper stepper(*kernel_);
  const UniqueFd engine = OpenAttached(kEngine);
  const UniqueFd memory = NewMemory();
  ASSERT_EQ(Map(memory), absl::OkStatus());
  const auto at = static_cast<off_t>(kernel_->GetRegionInfo(engine, 0)->offset);
  const uint64_t transfer[4] = {kIova, 0x40000, 256, 1};
  ASSERT_EQ(pwrite(engine.get(), transfer, sizeof(transfer), at + 0x80), 32);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  uint64_t command = 1;
  while ((command & 1) != 0 && std::chrono::steady_clock::now() < deadline) {
    ASSERT_EQ(pread(engine.get(), &command, sizeof(command), at + 0x98), 8);
    std::this_thread::yield();
  }
  EXPECT_EQ(command & 1, 0u);
}

TEST_F(SimKernelThreadsTest, TheStepperRestsUntilADeviceIsBound) {
  EXPECT_FALSE(kernel_->AwaitModel(absl::ZeroDuration()));
  const UniqueFd plain = OpenBound(kPlain);
  EXPECT_FALSE(kernel_->AwaitModel(absl::ZeroDuration()));
  UniqueFd engine = OpenBound(kEngine);
  EXPECT_TRUE(kernel_->AwaitModel(absl::ZeroDuration()));
  engine.Reset();
  EXPECT_FALSE(kernel_->AwaitModel(absl::ZeroDuration()));
}

TEST_F(SimKernelThreadsTest, ServesManyThreads) {
  const UniqueFd engine = OpenAttached(kEngine);
  const UniqueFd plain = OpenBound(kPlain);
  const UniqueFd nvme = OpenBound(kNvme);
  const SimStepper stepper(*kernel_);
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < 4; ++i) {
    threads.emplace_back([this, i, &plain, &nvme] {
      for (int round = 0; round < 50; ++round) {
        const Range iova = {.start = kIova + i * kPage, .length = kPage};
        const auto window = kernel_->ExportDmaBuf(plain, 2, {.start = i * kPage, .length = kPage});
        EXPECT_EQ(window.status(), absl::OkStatus());
        EXPECT_EQ(Map(*window, iova.start), absl::OkStatus());
        EXPECT_EQ(kernel_->ResetDevice(nvme), absl::OkStatus());
        EXPECT_TRUE(kernel_->CanReach(kEngine, kPlain, 2, i * kPage));
        EXPECT_EQ(kernel_->Unmap(context_, ioas_, iova), absl::OkStatus());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace p2pd
