// The one path that everything else rests on, on a real kernel in the test VM: an NVMe's memory buffer,
// exported as a dma-buf and mapped for another device, moves bytes; a reset kills the mapping for good; and
// it works again at the same IOVA once it was unmapped and mapped anew.
//
// Uses LinuxKernel and nothing above it, so that a failure here is the platform's or the seam's.
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <vector>

#include "daemon/base/errors.h"
#include "daemon/kernel/linux_kernel.h"
#include "gtest/gtest.h"
#include "tests/vm/devices.h"

namespace p2pd {
namespace {

using vm::Device;
using vm::DmaEngine;
using vm::kCmbBar;
using vm::kPage;
using vm::Pattern;

constexpr uint64_t kWindowLength = 1 << 20;
constexpr uint64_t kMemoryIova = 0x100000;
constexpr uint64_t kWindowIova = 0x4000000;

class P2pTest : public ::testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<UniqueFd> context = kernel_.OpenContext();
    ASSERT_TRUE(context.ok()) << context.status();
    context_ = *std::move(context);
    exporter_ = std::make_unique<Device>(kernel_, Device::Bind(kernel_, context_, "0000:01:00.0"));
    engine_ = std::make_unique<DmaEngine>(kernel_, Device::Bind(kernel_, context_, "0000:00:10.0"));
    ioas_ = kernel_.AllocIoas(context_).value();
    ASSERT_EQ(kernel_.AttachDevice(engine_->fd(), ioas_), absl::OkStatus());
    memfd_ = UniqueFd(memfd_create("memory", MFD_CLOEXEC));
    ASSERT_EQ(ftruncate(memfd_.get(), kMemorySize), 0);
    ASSERT_EQ(Map(memfd_, kMemoryIova, kMemorySize), absl::OkStatus());
    window_ = kernel_.ExportDmaBuf(exporter_->fd(), kCmbBar, {.start = 0, .length = kWindowLength}).value();
    ASSERT_EQ(Map(window_, kWindowIova, kWindowLength), absl::OkStatus());
  }

  absl::Status Map(FdRef file, uint64_t iova, uint64_t length) {
    return kernel_.MapFile(context_, {.ioas = ioas_, .file = file, .iova = {.start = iova, .length = length}});
  }

  // Puts `bytes` in memory, and has the engine copy them through the mapping to `offset` of the window.
  void SendToWindow(const std::vector<uint8_t>& bytes, uint64_t offset) {
    ASSERT_EQ(pwrite(memfd_.get(), bytes.data(), kPage, 0), ssize_t{kPage});
    engine_->CopyPage(kMemoryIova, kWindowIova + offset);
  }

  // Has the engine copy a page of the window back to memory.
  std::vector<uint8_t> FetchFromWindow(uint64_t offset) {
    engine_->CopyPage(kWindowIova + offset, kMemoryIova + kPage);
    std::vector<uint8_t> bytes(kPage);
    EXPECT_EQ(pread(memfd_.get(), bytes.data(), kPage, kPage), ssize_t{kPage});
    return bytes;
  }

  static constexpr uint64_t kMemorySize = 2 * kPage;

  LinuxKernel kernel_;
  UniqueFd context_;
  std::unique_ptr<Device> exporter_;
  std::unique_ptr<DmaEngine> engine_;
  IoasId ioas_;
  UniqueFd memfd_;
  UniqueFd window_;
};

TEST_F(P2pTest, OneDeviceReadsAndWritesAnothersMemoryThroughTheMapping) {
  for (const uint64_t offset : {uint64_t{0}, kWindowLength / 2, kWindowLength - kPage}) {
    const std::vector<uint8_t> bytes = Pattern(static_cast<uint32_t>(offset) + 1);
    SendToWindow(bytes, offset);
    EXPECT_EQ(exporter_->ReadPage(kCmbBar, offset), bytes) << "at " << offset;
    EXPECT_EQ(FetchFromWindow(offset), bytes) << "at " << offset;
  }
}

TEST_F(P2pTest, AResetKillsTheMappingUntilItIsMappedAnewAtTheSameIova) {
  SendToWindow(Pattern(1), 0);
  ASSERT_EQ(exporter_->ReadPage(kCmbBar, 0), Pattern(1));

  ASSERT_EQ(kernel_.ResetDevice(exporter_->fd()), absl::OkStatus());
  const std::vector<uint8_t> after_reset = exporter_->ReadPage(kCmbBar, 0);
  SendToWindow(Pattern(2), 0);
  EXPECT_EQ(exporter_->ReadPage(kCmbBar, 0), after_reset) << "the dead area let a write through";
  EXPECT_EQ(GetErrorInfo(Map(window_, kWindowIova, kWindowLength)).error, EEXIST);

  ASSERT_EQ(kernel_.Unmap(context_, ioas_, {.start = kWindowIova, .length = kWindowLength}), absl::OkStatus());
  ASSERT_EQ(Map(window_, kWindowIova, kWindowLength), absl::OkStatus());
  SendToWindow(Pattern(3), 0);
  EXPECT_EQ(exporter_->ReadPage(kCmbBar, 0), Pattern(3));
  EXPECT_EQ(FetchFromWindow(0), Pattern(3));
}

TEST_F(P2pTest, AnUnmappedWindowIsOutOfReach) {
  SendToWindow(Pattern(4), 0);
  ASSERT_EQ(kernel_.Unmap(context_, ioas_, {.start = kWindowIova, .length = kWindowLength}), absl::OkStatus());
  SendToWindow(Pattern(5), 0);
  EXPECT_EQ(exporter_->ReadPage(kCmbBar, 0), Pattern(4));
}

}  // namespace
}  // namespace p2pd
