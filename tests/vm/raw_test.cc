// The grade RAW on a real kernel in the test VM: this process gets a dma-buf of a device that p2pd has, another
// process, and maps it in an iommufd of its own, for a device of its own that p2pd does not manage. p2pd never sees
// that mapping. It must work; a reset through p2pd must stop it, whether or not its owner does as it is asked; and its
// owner must be able to map the same dma-buf again afterwards.
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "client/error.h"
#include "daemon/base/errors.h"
#include "daemon/kernel/linux_kernel.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/vm/devices.h"
#include "tests/vm/real_p2pd.h"

namespace p2pd::vm {
namespace {

constexpr char kExporter[] = "0000:01:00.0";
constexpr char kEngine[] = "0000:00:10.0";
constexpr uint64_t kWindowLength = 1 << 20;
constexpr uint64_t kMemoryLength = 2 * kPage;
constexpr Range kMemoryIova = {.start = 0x100000, .length = kMemoryLength};
constexpr Range kWindowIova = {.start = 0x4000000, .length = kWindowLength};

class RawTest : public ::testing::Test {
 protected:
  void SetUp() override {
    driver_ = p2pd_.Connect("driver");
    auto device = driver_->OpenDevice(std::string("devices/") + kExporter);
    ASSERT_TRUE(device.ok()) << device.status();
    device_.emplace(*std::move(device));
    exporter_.emplace(kernel_, UniqueFd(dup(device_->fd())));
    ASSERT_EQ(device_->Ready(device_->info().generation()), absl::OkStatus());

    holder_ = p2pd_.Connect("holder", [this](p2p::QuiesceRequest request) {
      ++asked_;
      if (obedient_) request.Ack().IgnoreError();
      if (!obedient_) ignored_.push_back(std::move(request));
    });
    auto window = holder_->CreateExport(
        {.device = device_->name(), .bar = kCmbBar, .length = kWindowLength, .grade = p2p::v1::RAW});
    ASSERT_TRUE(window.ok()) << window.status();
    window_.emplace(*std::move(window));

    context_ = kernel_.OpenContext().value();
    engine_.emplace(kernel_, Device::Bind(kernel_, context_, kEngine));
    ioas_ = kernel_.AllocIoas(context_).value();
    ASSERT_EQ(kernel_.AttachDevice(engine_->fd(), ioas_), absl::OkStatus());
    memfd_ = UniqueFd(memfd_create("memory", MFD_CLOEXEC));
    ASSERT_EQ(ftruncate(memfd_.get(), kMemoryLength), 0);
    ASSERT_EQ(kernel_.MapFile(context_, {.ioas = ioas_, .file = memfd_, .iova = kMemoryIova}), absl::OkStatus());
  }

  absl::Status MapWindow() {
    return kernel_.MapFile(context_, {.ioas = ioas_, .file = FdRef(window_->dma_buf()), .iova = kWindowIova});
  }
  absl::Status UnmapWindow() { return kernel_.Unmap(context_, ioas_, kWindowIova); }

  // Has the engine copy `bytes` to `offset` of the window.
  void Send(const std::vector<uint8_t>& bytes, uint64_t offset) {
    ASSERT_EQ(pwrite(memfd_.get(), bytes.data(), kPage, 0), ssize_t{kPage});
    engine_->CopyPage(kMemoryIova.start, kWindowIova.start + offset);
  }
  // Has the engine copy a page of the window to memory.
  std::vector<uint8_t> Fetch(uint64_t offset) {
    engine_->CopyPage(kWindowIova.start + offset, kMemoryIova.start + kPage);
    std::vector<uint8_t> bytes(kPage);
    EXPECT_EQ(pread(memfd_.get(), bytes.data(), kPage, kPage), ssize_t{kPage});
    return bytes;
  }

  void ExpectWorks(uint32_t seed) {
    for (const uint64_t offset : {uint64_t{0}, kWindowLength - kPage}) {
      Send(Pattern(seed), offset);
      EXPECT_EQ(exporter_->ReadPage(kCmbBar, offset), Pattern(seed)) << "at " << offset;
      exporter_->WritePage(kCmbBar, offset, Pattern(seed + 1));
      EXPECT_EQ(Fetch(offset), Pattern(seed + 1)) << "at " << offset;
    }
  }
  void ExpectStopped(uint32_t seed) {
    exporter_->WritePage(kCmbBar, 0, Pattern(seed));
    Send(Pattern(seed + 1), 0);
    EXPECT_EQ(exporter_->ReadPage(kCmbBar, 0), Pattern(seed)) << "a byte arrived";
    EXPECT_NE(Fetch(0), Pattern(seed)) << "a byte left";
  }

  // By the driver; the device works again, but its driver has not said so.
  p2p::v1::Operation Reset() {
    const auto receipt = device_->Reset();
    EXPECT_TRUE(receipt.ok()) << receipt.status();
    exporter_->Enable();
    return receipt.value_or(p2p::v1::Operation());
  }
  void SayReady(const p2p::v1::Operation& receipt) {
    EXPECT_EQ(device_->Ready(receipt.generation()), absl::OkStatus());
  }

  LinuxKernel kernel_;
  const RealP2pd p2pd_ = RealP2pd(kExporter);
  std::atomic<int> asked_ = 0;
  std::atomic<bool> obedient_ = true;
  std::vector<p2p::QuiesceRequest> ignored_;  // of the session's thread until it is asked for
  std::unique_ptr<p2p::Session> driver_;
  std::optional<p2p::Device> device_;
  std::optional<Device> exporter_;
  std::unique_ptr<p2p::Session> holder_;
  std::optional<p2p::Export> window_;
  UniqueFd context_;
  std::optional<DmaEngine> engine_;
  IoasId ioas_;
  UniqueFd memfd_;
};

TEST_F(RawTest, AnotherProcesssIommufdReachesTheWindowAndNotAByteMore) {
  ASSERT_EQ(MapWindow(), absl::OkStatus());
  ExpectWorks(1);
  Range beyond = {.start = 0x8000000, .length = kWindowLength + kPage};
  const absl::Status more =
      kernel_.MapFile(context_, {.ioas = ioas_, .file = FdRef(window_->dma_buf()), .iova = beyond});
  EXPECT_EQ(GetErrorInfo(more).error, EINVAL) << more;
}

TEST_F(RawTest, AResetStopsItsDmaAndAfterwardsItMapsTheSameDmaBufAgain) {
  ASSERT_EQ(MapWindow(), absl::OkStatus());
  ExpectWorks(1);
  const p2p::v1::Operation receipt = Reset();
  EXPECT_EQ(asked_, 1) << "who holds a dma-buf is asked to stop";
  ASSERT_EQ(receipt.parties_size(), 1) << receipt.ShortDebugString();
  EXPECT_EQ(receipt.parties(0).answer(), p2p::v1::Operation::Party::ACKED);
  ExpectStopped(3);
  EXPECT_EQ(GetErrorInfo(MapWindow()).error, EEXIST) << "the dead area keeps its place";
  ASSERT_EQ(UnmapWindow(), absl::OkStatus());
  SayReady(receipt);
  ASSERT_EQ(MapWindow(), absl::OkStatus());
  ExpectWorks(5);
}

TEST_F(RawTest, WhoDoesNotStopIsStoppedByTheReset) {
  ASSERT_EQ(MapWindow(), absl::OkStatus());
  ExpectWorks(1);
  obedient_ = false;
  const p2p::v1::Operation receipt = Reset();
  ASSERT_EQ(receipt.parties_size(), 1) << receipt.ShortDebugString();
  EXPECT_EQ(receipt.parties(0).answer(), p2p::v1::Operation::Party::FORCED);
  ExpectStopped(3);
  SayReady(receipt);
  ExpectStopped(5);  // its area is dead for good
}

TEST_F(RawTest, TheDriversEndEndsTheDmaBufForGood) {
  ASSERT_EQ(MapWindow(), absl::OkStatus());
  ExpectWorks(1);
  exporter_.reset();  // a copy of the fd
  ASSERT_EQ(device_->Close(), absl::OkStatus());
  ASSERT_EQ(UnmapWindow(), absl::OkStatus());
  EXPECT_EQ(GetErrorInfo(MapWindow()).error, ENODEV);

  // The next driver's device does work; the old dma-buf shows nothing of it.
  auto next = driver_->OpenDevice(std::string("devices/") + kExporter);
  ASSERT_TRUE(next.ok()) << next.status();
  device_.emplace(*std::move(next));
  exporter_.emplace(kernel_, UniqueFd(dup(device_->fd())));
  ASSERT_EQ(device_->Ready(device_->info().generation()), absl::OkStatus());
  EXPECT_EQ(GetErrorInfo(MapWindow()).error, ENODEV);
  ExpectStopped(3);
  exporter_.reset();
}

}  // namespace
}  // namespace p2pd::vm
