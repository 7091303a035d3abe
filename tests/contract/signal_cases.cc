// What the kernel tells a device's holder through eventfds: that the device reported an error, and that somebody
// wants it back.
#include <sys/eventfd.h>
#include <sys/mman.h>

#include <cerrno>

#include "tests/contract/fixture.h"

namespace p2pd::contract {
namespace {

UniqueFd NewEventFd() { return UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

// Whether it was signalled since the last time.
bool Signalled(const UniqueFd& fd) {
  eventfd_t count = 0;
  return eventfd_read(fd.get(), &count) == 0;
}
bool EventuallySignalled(const UniqueFd& fd) {
  return Eventually([&] { return Signalled(fd); });
}

class SignalTest : public ContractTest {
 protected:
  void SetUp() override {
    context_ = NewContext();
    device_ = OpenBound(Role::kSecondNvme, context_);
  }

  absl::Status Arm(FdRef device, DeviceSignal signal, const UniqueFd& eventfd) {
    return kernel().SetEventFd(device, signal, eventfd);
  }

  // To be called when nothing of the test has the device open any more.
  void ExpectGoneAndReturn() {
    EXPECT_TRUE(Eventually([] { return TheWorld().HasLeft(Role::kSecondNvme); }));
    TheWorld().Return(Role::kSecondNvme);
  }

  UniqueFd context_;
  UniqueFd device_;
};

TEST_F(SignalTest, CanBeAskedForReplacedAndTakenBack) {
  for (const Role role : {Role::kExporter, Role::kPlainMemory, Role::kDmaEngine}) {
    const UniqueFd device = OpenBound(role, context_);
    for (const DeviceSignal signal : {DeviceSignal::kError, DeviceSignal::kRequest}) {
      EXPECT_THAT(kernel().SetEventFd(device, signal, std::nullopt), Succeeds()) << "there was none";
      EXPECT_THAT(Arm(device, signal, NewEventFd()), Succeeds());
      EXPECT_THAT(Arm(device, signal, NewEventFd()), Succeeds());
      EXPECT_THAT(kernel().SetEventFd(device, signal, std::nullopt), Succeeds());
    }
  }
}

TEST_F(SignalTest, TakesOnlyAnEventFd) {
  const UniqueFd memfd(memfd_create("no eventfd", MFD_CLOEXEC));
  for (const DeviceSignal signal : {DeviceSignal::kError, DeviceSignal::kRequest}) {
    EXPECT_THAT(Arm(device_, signal, memfd), FailsWith(EINVAL));
    EXPECT_THAT(kernel().SetEventFd(device_, signal, FdRef(9999)), FailsWith(EBADF));
    EXPECT_THAT(kernel().SetEventFd(device_, signal, FdRef(-1)), FailsWith(EBADF));
  }
}

TEST_F(SignalTest, StaysAsItWasWhereAnotherIsRefused) {
  const UniqueFd request = NewEventFd();
  ASSERT_THAT(Arm(device_, DeviceSignal::kRequest, request), Succeeds());
  EXPECT_THAT(kernel().SetEventFd(device_, DeviceSignal::kRequest, FdRef(9999)), FailsWith(EBADF));
  TheWorld().Unbind(Role::kSecondNvme);
  EXPECT_TRUE(EventuallySignalled(request));
  device_.Reset();
  ExpectGoneAndReturn();
}

TEST_F(SignalTest, AsksForTheDeviceOnceItsNodeIsGone) {
  const std::string cdev = TheWorld().CdevOf(Role::kSecondNvme);
  const UniqueFd request = NewEventFd();
  const UniqueFd error = NewEventFd();
  ASSERT_THAT(Arm(device_, DeviceSignal::kRequest, request), Succeeds());
  ASSERT_THAT(Arm(device_, DeviceSignal::kError, error), Succeeds());
  TheWorld().Unbind(Role::kSecondNvme);
  EXPECT_TRUE(EventuallySignalled(request));
  EXPECT_THAT(kernel().OpenDevice(cdev), FailsWith(ENOENT));
  EXPECT_FALSE(TheWorld().HasLeft(Role::kSecondNvme));
  device_.Reset();
  ExpectGoneAndReturn();
  EXPECT_FALSE(Signalled(error));
  device_ = OpenBound(Role::kSecondNvme, context_);
  EXPECT_THAT(kernel().GetDeviceInfo(device_), Succeeds());
}

TEST_F(SignalTest, GoesToTheLastEventFdOnly) {
  const UniqueFd first = NewEventFd();
  const UniqueFd second = NewEventFd();
  ASSERT_THAT(Arm(device_, DeviceSignal::kRequest, first), Succeeds());
  ASSERT_THAT(Arm(device_, DeviceSignal::kRequest, second), Succeeds());
  TheWorld().Unbind(Role::kSecondNvme);
  EXPECT_TRUE(EventuallySignalled(second));
  EXPECT_FALSE(Signalled(first));
  device_.Reset();
  ExpectGoneAndReturn();
}

TEST_F(SignalTest, IsNoMoreWhenItWasTakenBack) {
  const UniqueFd request = NewEventFd();
  ASSERT_THAT(Arm(device_, DeviceSignal::kRequest, request), Succeeds());
  ASSERT_THAT(kernel().SetEventFd(device_, DeviceSignal::kRequest, std::nullopt), Succeeds());
  TheWorld().Unbind(Role::kSecondNvme);
  device_.Reset();
  ExpectGoneAndReturn();
  EXPECT_FALSE(Signalled(request));
}

TEST_F(SignalTest, IsForgottenWithTheLastClose) {
  const UniqueFd request = NewEventFd();
  ASSERT_THAT(Arm(device_, DeviceSignal::kRequest, request), Succeeds());
  device_.Reset();
  device_ = OpenBound(Role::kSecondNvme, context_);
  TheWorld().Unbind(Role::kSecondNvme);
  device_.Reset();
  ExpectGoneAndReturn();
  EXPECT_FALSE(Signalled(request));
}

TEST_F(SignalTest, WaitsForEveryOpenAlsoThoseThatAreNotBound) {
  UniqueFd other = Open(Role::kSecondNvme);
  const UniqueFd request = NewEventFd();
  ASSERT_THAT(Arm(device_, DeviceSignal::kRequest, request), Succeeds());
  TheWorld().Unbind(Role::kSecondNvme);
  EXPECT_TRUE(EventuallySignalled(request));
  device_.Reset();
  // The reset that comes with a bind needs a lock that the unbinding holds.
  EXPECT_THAT(kernel().BindDevice(other, context_), FailsWith(EAGAIN));
  EXPECT_FALSE(TheWorld().HasLeft(Role::kSecondNvme));
  other.Reset();
  ExpectGoneAndReturn();
}

// An NVMe that is asked back while a window of its memory is mapped for a DMA engine.
class RemovalTest : public DmaTest {
 protected:
  void SetUp() override {
    DmaTest::SetUp();
    device_ = OpenBound(Role::kExporter, context_);
    absl::StatusOr<UniqueFd> window = Export(device_, kPage);
    ASSERT_THAT(window, Succeeds());
    window_ = *std::move(window);
    ASSERT_THAT(Map(context_, ioas_, window_, kWindowIova, kPage), Succeeds());
    request_ = NewEventFd();
    ASSERT_THAT(kernel().SetEventFd(device_, DeviceSignal::kRequest, request_), Succeeds());
    TheWorld().Unbind(Role::kExporter);
    ASSERT_TRUE(EventuallySignalled(request_));
  }
  void TearDown() override {
    device_.Reset();
    EXPECT_TRUE(Eventually([] { return TheWorld().HasLeft(Role::kExporter); }));
    TheWorld().Return(Role::kExporter);
  }

  bool Reaches(uint8_t seed) {
    EnableMemoryBuffer(device_);
    WriteBar(device_, kMemoryBar, 0, Pattern(seed));
    return Fetch(kWindowIova) == Pattern(seed, kChunk);
  }

  UniqueFd device_;
  UniqueFd window_;
  UniqueFd request_;
};

TEST_F(RemovalTest, RevokesNothingByItself) {
  EXPECT_TRUE(Reaches(1));
  EXPECT_THAT(Map(context_, ioas_, window_, kWindowIova + kPage, kPage), Succeeds());
}

TEST_F(RemovalTest, StopsNoNewExport) {
  const absl::StatusOr<UniqueFd> another = Export(device_, kPage);
  ASSERT_THAT(another, Succeeds());
  EXPECT_THAT(Map(context_, ioas_, *another, kWindowIova + kPage, kPage), Succeeds());
}

TEST_F(RemovalTest, LetsNoResetThroughButItsRevocation) {
  EnableController(device_);
  EXPECT_THAT(kernel().ResetDevice(device_), FailsWith(EAGAIN));
  EXPECT_TRUE(ControllerIsReady(device_));
  EXPECT_FALSE(Reaches(1));
}

TEST_F(RemovalTest, LetsNoHotResetThroughButItsRevocation) {
  EnableController(device_);
  EXPECT_THAT(kernel().HotReset(device_), FailsWith(EAGAIN));
  EXPECT_TRUE(ControllerIsReady(device_));
  EXPECT_FALSE(Reaches(1));
}

TEST_F(RemovalTest, EndsWithTheLastCloseWhichRevokes) {
  ASSERT_TRUE(Reaches(1));
  device_.Reset();
  EXPECT_TRUE(Eventually([] { return TheWorld().HasLeft(Role::kExporter); }));
  EXPECT_NE(Fetch(kWindowIova), Pattern(1, kChunk));
  EXPECT_THAT(Unmap(context_, ioas_, kWindowIova, kPage), Succeeds());
  EXPECT_THAT(Map(context_, ioas_, window_, kWindowIova, kPage), FailsWith(ENODEV));
}

// Both twins with eventfds, and a window of the first one's memory mapped for a DMA engine.
class DeviceErrorTest : public DmaTest {
 protected:
  static constexpr int kBar = 0;
  static constexpr uint64_t kMemoryAt = 0x10000;

  void SetUp() override {
    DmaTest::SetUp();
    first_ = OpenBound(Role::kTwinFirst, context_);
    second_ = OpenBound(Role::kTwinSecond, context_);
    ASSERT_THAT(kernel().SetEventFd(first_, DeviceSignal::kError, first_error_), Succeeds());
    ASSERT_THAT(kernel().SetEventFd(second_, DeviceSignal::kError, second_error_), Succeeds());
    absl::StatusOr<UniqueFd> window = Export(first_, kPage, kMemoryAt, kBar);
    ASSERT_THAT(window, Succeeds());
    window_ = *std::move(window);
    ASSERT_THAT(Map(context_, ioas_, window_, kWindowIova, kPage), Succeeds());
    ASSERT_TRUE(Reaches(1));
  }

  bool Reaches(uint8_t seed) {
    WriteBar(first_, kBar, kMemoryAt, Pattern(seed));
    return Fetch(kWindowIova) == Pattern(seed, kChunk);
  }

  // Until the error's recovery is over: then the port is not locked any more.
  void AwaitRecovery() {
    EXPECT_TRUE(Eventually([this] { return kernel().ResetDevice(second_).ok(); }));
  }

  UniqueFd first_;
  UniqueFd second_;
  UniqueFd window_;
  UniqueFd first_error_ = NewEventFd();
  UniqueFd second_error_ = NewEventFd();
};

TEST_F(DeviceErrorTest, IsToldToEveryDeviceBelowThePort) {
  TheWorld().InjectError(Role::kTwinSecond, /*fatal=*/false);
  EXPECT_TRUE(EventuallySignalled(first_error_));
  EXPECT_TRUE(EventuallySignalled(second_error_));
  AwaitRecovery();
}

TEST_F(DeviceErrorTest, ChangesNothingWhereItIsNotFatal) {
  TheWorld().InjectError(Role::kTwinFirst, /*fatal=*/false);
  EXPECT_TRUE(EventuallySignalled(first_error_));
  AwaitRecovery();
  EXPECT_EQ(Command(first_) & kMemoryDecode, kMemoryDecode);
  EXPECT_TRUE(Reaches(2));
}

TEST_F(DeviceErrorTest, ClearsTheDevicesUnderTheirLiveMappingsWhereItIsFatal) {
  TheWorld().InjectError(Role::kTwinFirst, /*fatal=*/true);
  EXPECT_TRUE(EventuallySignalled(first_error_));
  EXPECT_TRUE(EventuallySignalled(second_error_));
  EXPECT_TRUE(Eventually([this] { return (Command(first_) & (kMemoryDecode | kBusMaster)) == 0; }));
  EXPECT_TRUE(Eventually([this] { return (Command(second_) & (kMemoryDecode | kBusMaster)) == 0; }));
  AwaitRecovery();
  EXPECT_EQ(Command(second_) & kMemoryDecode, 0) << "a reset puts back what it found";
  EXPECT_NE(Fetch(kWindowIova), Pattern(1, kChunk));
  EXPECT_THAT(Map(context_, ioas_, window_, kWindowIova + kPage, kPage), Succeeds()) << "it counts as live";
  // Turning memory decode on brings the BARs back, under the mapping that was there all the time.
  ASSERT_THAT(SetCommandBits(first_, kMemoryDecode, true), Succeeds());
  EXPECT_TRUE(Reaches(2));
}

TEST_F(DeviceErrorTest, IsOverWithTheNextBindWhereItIsFatal) {
  TheWorld().InjectError(Role::kTwinFirst, /*fatal=*/true);
  EXPECT_TRUE(Eventually([this] { return (Command(first_) & kMemoryDecode) == 0; }));
  AwaitRecovery();
  first_.Reset();
  first_ = OpenBound(Role::kTwinFirst, context_);
  EXPECT_EQ(Command(first_) & kMemoryDecode, kMemoryDecode);
  absl::StatusOr<UniqueFd> window = Export(first_, kPage, kMemoryAt, kBar);
  ASSERT_THAT(window, Succeeds());
  ASSERT_THAT(Unmap(context_, ioas_, kWindowIova, kPage), Succeeds());
  ASSERT_THAT(Map(context_, ioas_, *window, kWindowIova, kPage), Succeeds());
  EXPECT_TRUE(Reaches(2));
}

}  // namespace
}  // namespace p2pd::contract
