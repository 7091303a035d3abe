// Devices of SimKernel that are reset together, report errors, leave and come back: what the contract suite cannot
// show, as Linux in the test VM does not do it on demand.
#include <sys/eventfd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <thread>

#include "daemon/kernel/sim_kernel_fixture.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

namespace fs = std::filesystem;

constexpr PciAddress kFirst = {.bus = 3};
constexpr PciAddress kSecond = {.bus = 3, .function = 1};
constexpr PciAddress kOther = {.bus = 4};
constexpr PciAddress kRoot = {.device = 9};

constexpr char kSets[] = R"pb(
  device {
    bdf: "0000:03:00.0"
    iommu_group: 5
    bar { index: 0 size: 0x10000 }
    reset_milliseconds: 10
  }
  device {
    bdf: "0000:03:00.1"
    iommu_group: 6
    bar { index: 0 size: 0x10000 }
    reset_milliseconds: 20
  }
  device {
    bdf: "0000:04:00.0"
    iommu_group: 7
    bar { index: 0 size: 0x10000 }
  }
  device {
    bdf: "0000:00:09.0"
    iommu_group: 8
    bar { index: 0 size: 0x10000 }
  }
)pb";

class SimKernelSetsTest : public SimKernelTest {
 protected:
  void SetUp() override {
    UseMachine(kSets);
    std::string name = (fs::temp_directory_path() / "p2pd-sysfs.XXXXXX").string();
    sysfs_ = mkdtemp(name.data());
    ASSERT_EQ(kernel_->WriteSysfs(sysfs_), absl::OkStatus());
  }
  void TearDown() override { fs::remove_all(sysfs_); }

  void UseMachineWith(SimKernel::Options options) {
    v1::Simulation machine;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(kSets, &machine));
    Use(SimKernel::Create(machine, std::move(options)));
  }

  fs::path FolderOf(const PciAddress& address) { return sysfs_ / "bus/pci/devices" / address.ToString(); }

  // An eventfd that gets `signal` of the device.
  UniqueFd Armed(FdRef device, DeviceSignal signal) {
    UniqueFd fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    EXPECT_EQ(kernel_->SetEventFd(device, signal, fd), absl::OkStatus());
    return fd;
  }
  static uint64_t Signals(const UniqueFd& fd) {
    eventfd_t count = 0;
    return eventfd_read(fd.get(), &count) == 0 ? count : 0;
  }

  fs::path sysfs_;
};

TEST_F(SimKernelSetsTest, AnErrorIsToldToItsBusOnly) {
  const UniqueFd first = OpenBound(kFirst);
  const UniqueFd second = OpenBound(kSecond);
  const UniqueFd other = OpenBound(kOther);
  const UniqueFd errors[] = {Armed(first, DeviceSignal::kError), Armed(second, DeviceSignal::kError),
                             Armed(other, DeviceSignal::kError)};
  EXPECT_TRUE(kernel_->InjectError(kSecond, sim::ErrorSeverity::kFatal));
  EXPECT_EQ(Signals(errors[0]), 1u);
  EXPECT_EQ(Signals(errors[1]), 1u);
  EXPECT_EQ(Signals(errors[2]), 0u);
  EXPECT_EQ(kernel_->EndRecovery(kSecond).size(), 2u);
  uint8_t command[2] = {};
  ASSERT_EQ(kernel_->ReadConfig(other, 4, command), absl::OkStatus());
  EXPECT_EQ(command[0] & 6, 6);
}

TEST_F(SimKernelSetsTest, TheBusIsResetAfterAFatalErrorWasTold) {
  const UniqueFd first = OpenBound(kFirst);
  const auto command = [&] {
    uint8_t bytes[2] = {};
    EXPECT_EQ(kernel_->ReadConfig(first, 4, bytes), absl::OkStatus());
    return bytes[0] & 6;
  };
  EXPECT_TRUE(kernel_->InjectError(kSecond, sim::ErrorSeverity::kFatal));
  EXPECT_EQ(command(), 6);
  kernel_->EndRecovery(kSecond);
  EXPECT_EQ(command(), 0);
}

TEST_F(SimKernelSetsTest, NobodyReportsAnErrorOnTheRootBusOrOfADeviceThatIsNotThere) {
  EXPECT_FALSE(kernel_->InjectError(kRoot, sim::ErrorSeverity::kNonFatal));
  EXPECT_FALSE(kernel_->InjectError({.bus = 9}, sim::ErrorSeverity::kNonFatal));
  kernel_->Unplug(kOther);
  EXPECT_FALSE(kernel_->InjectError(kOther, sim::ErrorSeverity::kNonFatal));
}

TEST_F(SimKernelSetsTest, AFullEventFdStopsNobody) {
  const UniqueFd first = OpenBound(kFirst);
  const UniqueFd full(eventfd(0, EFD_CLOEXEC));
  ASSERT_EQ(eventfd_write(full.get(), UINT64_MAX - 1), 0);
  ASSERT_EQ(kernel_->SetEventFd(first, DeviceSignal::kError, full), absl::OkStatus());
  EXPECT_TRUE(kernel_->InjectError(kFirst, sim::ErrorSeverity::kNonFatal));
  EXPECT_EQ(Signals(full), UINT64_MAX - 1);
}

TEST_F(SimKernelSetsTest, ASignalOutlivesItsOwnersDescriptor) {
  const UniqueFd first = OpenBound(kFirst);
  UniqueFd error = Armed(first, DeviceSignal::kError);
  const UniqueFd copy = *Duplicate(error);
  error.Reset();
  EXPECT_TRUE(kernel_->InjectError(kFirst, sim::ErrorSeverity::kNonFatal));
  EXPECT_EQ(Signals(copy), 1u);
}

TEST_F(SimKernelSetsTest, ARemovalIsAskedForAgain) {
  const UniqueFd first = OpenBound(kFirst);
  const UniqueFd request = Armed(first, DeviceSignal::kRequest);
  kernel_->Unplug(kFirst);
  EXPECT_EQ(Signals(request), 1u);
  kernel_->Unplug(kFirst);
  EXPECT_EQ(Signals(request), 1u);
}

TEST_F(SimKernelSetsTest, AnUnpluggedDeviceGoesFromSysfsWithItsLastClose) {
  UniqueFd first = OpenBound(kFirst);
  EXPECT_TRUE(fs::exists(FolderOf(kFirst) / "vfio-dev/vfio0"));
  kernel_->Unplug(kFirst);
  EXPECT_EQ(kernel_->CdevOf(kFirst), "");
  EXPECT_FALSE(fs::exists(FolderOf(kFirst) / "vfio-dev"));
  EXPECT_FALSE(fs::is_symlink(FolderOf(kFirst) / "driver"));
  EXPECT_TRUE(fs::exists(FolderOf(kFirst)));
  EXPECT_FALSE(kernel_->HasLeft(kFirst));
  EXPECT_FALSE(kernel_->Return(kFirst));
  first.Reset();
  EXPECT_TRUE(kernel_->HasLeft(kFirst));
  EXPECT_FALSE(fs::is_symlink(FolderOf(kFirst)));
  EXPECT_FALSE(fs::exists(sysfs_ / "kernel/iommu_groups/5/devices/0000:03:00.0"));
}

TEST_F(SimKernelSetsTest, AnUnboundDeviceStaysInSysfsWithoutItsDriver) {
  kernel_->Unbind(kFirst);
  EXPECT_TRUE(kernel_->HasLeft(kFirst));
  EXPECT_TRUE(fs::exists(FolderOf(kFirst) / "config"));
  EXPECT_FALSE(fs::is_symlink(FolderOf(kFirst) / "driver"));
  EXPECT_FALSE(fs::exists(FolderOf(kFirst) / "vfio-dev"));
}

TEST_F(SimKernelSetsTest, ADeviceReturnsWithTheLowestNodeThatIsFree) {
  kernel_->Unplug(kFirst);
  kernel_->Unbind(kSecond);
  EXPECT_TRUE(kernel_->Return(kSecond));
  EXPECT_TRUE(kernel_->Return(kFirst));
  EXPECT_FALSE(kernel_->Return(kFirst));
  EXPECT_EQ(kernel_->CdevOf(kSecond), "vfio0");
  EXPECT_EQ(kernel_->CdevOf(kFirst), "vfio1");
  EXPECT_TRUE(fs::exists(FolderOf(kSecond) / "vfio-dev/vfio0"));
  EXPECT_TRUE(fs::exists(FolderOf(kFirst) / "vfio-dev/vfio1"));
  EXPECT_TRUE(fs::exists(FolderOf(kFirst) / "driver"));
  EXPECT_TRUE(OpenBound(kFirst).valid());
}

TEST_F(SimKernelSetsTest, SysfsIsWrittenAsTheMachineIsByThen) {
  kernel_->Unplug(kFirst);
  fs::remove_all(sysfs_);
  fs::create_directory(sysfs_);
  ASSERT_EQ(kernel_->WriteSysfs(sysfs_), absl::OkStatus());
  EXPECT_FALSE(fs::is_symlink(FolderOf(kFirst)));
  EXPECT_TRUE(fs::exists(FolderOf(kSecond)));
}

TEST_F(SimKernelSetsTest, AnUnpluggedDeviceForgetsWhatItHeldAndAnUnboundOneDoesNot) {
  for (const bool unplug : {false, true}) {
    kernel_->SetResettable(kOther, false);  // or binding would clear it
    UniqueFd other = OpenBound(kOther);
    const auto at = static_cast<off_t>(kernel_->GetRegionInfo(other, 0)->offset);
    ASSERT_EQ(pwrite(other.get(), "secret", 6, at), 6);
    unplug ? kernel_->Unplug(kOther) : kernel_->Unbind(kOther);
    other.Reset();
    ASSERT_TRUE(kernel_->Return(kOther));
    other = OpenBound(kOther);
    char bytes[7] = {};
    ASSERT_EQ(pread(other.get(), bytes, 6, at), 6);
    EXPECT_STREQ(bytes, unplug ? "" : "secret");
  }
}

TEST_F(SimKernelSetsTest, AnUnpluggedDeviceIsInNoSet) {
  const UniqueFd first = OpenBound(kFirst);
  kernel_->Unplug(kSecond);
  const absl::StatusOr<HotResetInfo> info = kernel_->GetHotResetInfo(first);
  ASSERT_EQ(info.status(), absl::OkStatus());
  EXPECT_EQ(info->members.size(), 1u);
  EXPECT_TRUE(info->all_owned);
  EXPECT_EQ(kernel_->HotReset(first), absl::OkStatus());
}

TEST_F(SimKernelSetsTest, ADeviceThatReturnedIsTheLastOfItsSet) {
  // So it is now the one behind the one that is not owned, and is spared.
  kernel_->Unbind(kFirst);
  ASSERT_TRUE(kernel_->Return(kFirst));
  const UniqueFd importer = OpenAttached(kOther);
  const UniqueFd first = OpenBound(kFirst);
  const UniqueFd window = *kernel_->ExportDmaBuf(first, 0, {.start = 0, .length = kPage});
  ASSERT_EQ(Map(window), absl::OkStatus());
  EXPECT_EQ(ErrnoOf(kernel_->HotReset(first)), EINVAL);
  EXPECT_TRUE(kernel_->CanReach(kOther, kFirst, 0, 0));
}

TEST_F(SimKernelSetsTest, AHotResetHoldsUpItsSetAndNobodyElse) {
  std::atomic<bool> sleeping = false;
  std::atomic<bool> enough = false;
  absl::Duration slept;
  UseMachineWith({.sleep = [&](absl::Duration duration) {
    slept = duration;
    sleeping = true;
    while (!enough) std::this_thread::yield();
  }});
  const UniqueFd first = OpenBound(kFirst);
  const UniqueFd second = OpenBound(kSecond);
  const UniqueFd other = OpenBound(kOther);
  std::thread resetter([&] { EXPECT_EQ(kernel_->HotReset(first), absl::OkStatus()); });
  while (!sleeping) std::this_thread::yield();
  EXPECT_EQ(slept, absl::Milliseconds(20)) << "the slowest of the set";
  uint8_t bytes[2];
  EXPECT_EQ(kernel_->ReadConfig(other, 0, bytes), absl::OkStatus());
  std::thread reader([&] {
    EXPECT_EQ(kernel_->ReadConfig(second, 0, bytes), absl::OkStatus());
    EXPECT_TRUE(enough);
  });
  std::thread asker([&] {
    EXPECT_EQ(kernel_->GetHotResetInfo(second).status(), absl::OkStatus());
    EXPECT_TRUE(enough);
  });
  enough = true;
  resetter.join();
  reader.join();
  asker.join();
}

TEST_F(SimKernelSetsTest, AHotResetDoesNotWaitForAResetOfOneOfTheSet) {
  std::atomic<bool> sleeping = false;
  std::atomic<bool> enough = false;
  UseMachineWith({.sleep = [&](absl::Duration) {
    sleeping = true;
    while (!enough) std::this_thread::yield();
  }});
  const UniqueFd importer = OpenAttached(kOther);
  const UniqueFd first = OpenBound(kFirst);
  const UniqueFd second = OpenBound(kSecond);
  const UniqueFd window = *kernel_->ExportDmaBuf(first, 0, {.start = 0, .length = kPage});
  ASSERT_EQ(Map(window), absl::OkStatus());
  std::thread resetter([&] { EXPECT_EQ(kernel_->ResetDevice(second), absl::OkStatus()); });
  while (!sleeping) std::this_thread::yield();
  EXPECT_EQ(ErrnoOf(kernel_->HotReset(first)), EBUSY);
  EXPECT_FALSE(kernel_->CanReach(kOther, kFirst, 0, 0)) << "it came first, and was revoked";
  enough = true;
  resetter.join();
  EXPECT_EQ(kernel_->HotReset(first), absl::OkStatus());
}

}  // namespace
}  // namespace p2pd
