// How rights end on a real kernel in the test VM: a time to live is over, a device's fatal error cannot be mended until
// somebody recovers it, a driver turns its device's memory off, a driver goes, a physical function takes its virtual
// one along. p2pd is another process; whether a right has ended is asked of the devices, by their DMA, and of the
// kernel's log, not of p2pd. Needs --add sets --add virtual.
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "client/error.h"
#include "daemon/base/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/vm/engine_test.h"

namespace p2pd::vm {
namespace {

using ::testing::HasSubstr;

constexpr char kTwin[] = "0000:05:00.0";  // e1000e: its packet memory is in BAR 0
constexpr char kOtherTwin[] = "0000:05:00.1";
constexpr char kPhysical[] = "0000:06:00.0";
constexpr char kVirtual[] = "0000:06:00.1";
constexpr char kManaged[] = "0000:01:00.0,0000:05:00.0,0000:05:00.1,0000:06:00.0,0000:06:00.1,0000:00:10.0";
constexpr uint64_t kTwinMemory = 64 << 10;

// A fatal error of the device, as if its hardware had told of one (drivers/pci/pcie/aer_inject.c).
void InjectFatalError(const PciAddress& device) {
  struct {
    uint8_t bus, device, function, unused;
    uint32_t uncorrectable, correctable, header[4], domain;
  } error = {device.bus, device.device, device.function, 0, 1 << 18, 0, {}, device.domain};
  const UniqueFd injector(open("/dev/aer_inject", O_WRONLY | O_CLOEXEC));
  EXPECT_EQ(write(injector.get(), &error, sizeof(error)), ssize_t{sizeof(error)});
}

// The node by which p2pd would open the device, put out of its way as long as this lives.
class HiddenNode {
 public:
  explicit HiddenNode(const std::string& bdf) : node_("/dev/vfio/devices/" + CdevOf(bdf)), hidden_("/dev/vfio/hidden") {
    std::filesystem::rename(node_, hidden_);
  }
  ~HiddenNode() { std::filesystem::rename(hidden_, node_); }

 private:
  const std::string node_;
  const std::string hidden_;
};

// Somebody who resets the function again and again by sysfs as long as this lives, and so has it locked mostly.
class Resetter {
 public:
  explicit Resetter(const std::string& bdf)
      : thread_([this, bdf] {
          const UniqueFd reset(open(("/sys/bus/pci/devices/" + bdf + "/reset").c_str(), O_WRONLY | O_CLOEXEC));
          while (!stopped_) EXPECT_EQ(pwrite(reset.get(), "1", 1, 0), 1);
        }) {}
  ~Resetter() {
    stopped_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> stopped_ = false;
  std::thread thread_;
};

class EndingsTest : public EngineTest {
 protected:
  EndingsTest() : EngineTest(kManaged) {}
};

TEST_F(EndingsTest, WhatWasAcquiredForATimeIsUnmappedWhenItIsOver) {
  Driven nvme(kernel_, *driver_, kNvme);
  auto acquired =
      user_->Acquire({.device = Name(kNvme), .bar = kCmbBar, .length = kWindowLength, .time_to_live = absl::Hours(1)},
                     {{.space = &*space_, .iova = kWindowIova}});
  ASSERT_TRUE(acquired.ok()) << acquired.status();
  Send(Pattern(1));
  ASSERT_EQ(nvme.device.ReadPage(kCmbBar, 0), Pattern(1));

  ASSERT_EQ(acquired->window.Renew(absl::Milliseconds(200)), absl::OkStatus());
  ASSERT_TRUE(Eventually([&] { return !user_->GetExport(acquired->window.name()).ok(); }));
  nvme.device.WritePage(kCmbBar, 0, Pattern(2));
  ExpectStopped();
  EXPECT_EQ(nvme.device.ReadPage(kCmbBar, 0), Pattern(2)) << "a byte arrived";
  const p2p::v1::Operation receipt = Receipt(p2p::v1::Operation::EXPIRY);
  EXPECT_EQ(receipt.state(), p2p::v1::Operation::SUCCEEDED) << receipt.ShortDebugString();
  ASSERT_EQ(receipt.mappings_size(), 1) << receipt.ShortDebugString();
  EXPECT_EQ(receipt.mappings(0).mapping(), acquired->mappings[0].name());
}

TEST_F(EndingsTest, ADeviceThatAFatalErrorLeftFaultedIsRecoveredOnRequest) {
  std::optional<Driven> twin;
  twin.emplace(kernel_, *driver_, kTwin);
  const auto window =
      user_->CreateExport({.device = Name(kTwin), .bar = 0, .offset = kTwinMemory, .length = kWindowLength});
  ASSERT_TRUE(window.ok()) << window.status();
  auto mapping = user_->Map(*window, *space_, {.iova = kWindowIova});
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  Send(Pattern(1));
  ASSERT_EQ(twin->device.ReadPage(0, kTwinMemory), Pattern(1));

  std::string said;
  {
    const HiddenNode hidden(kTwin);
    InjectFatalError(PciAddress{.bus = 5});
    ASSERT_TRUE(Eventually([&] { return StateOf(kTwin) == p2p::v1::Device::FAULTED; })) << StateOf(kTwin);
    ExpectStopped();
    twin.reset();
    const p2p::v1::Device faulted = user_->GetDevice(Name(kTwin)).value();
    EXPECT_THAT(faulted.state_reason(), HasSubstr("No such file"));
    EXPECT_EQ(faulted.driver_session(), "");
    EXPECT_EQ(Receipt(p2p::v1::Operation::DEVICE_ERROR, Name(kTwin)).state(), p2p::v1::Operation::FAILED);
    EXPECT_FALSE(driver_->OpenDevice(Name(kTwin)).ok());
    EXPECT_NE(p2pd_.P2pctl(std::string("device recover ") + kTwin, said), 0) << said;
    EXPECT_EQ(StateOf(kTwin), p2p::v1::Device::FAULTED);
  }
  EXPECT_EQ(p2pd_.P2pctl(std::string("device recover ") + kTwin, said), 0) << said;
  EXPECT_EQ(StateOf(kTwin), p2p::v1::Device::READY) << said;

  // As good as new.
  ASSERT_EQ(mapping->Release(), absl::OkStatus());
  twin.emplace(kernel_, *driver_, kTwin);
  const auto again =
      user_->CreateExport({.device = Name(kTwin), .bar = 0, .offset = kTwinMemory, .length = kWindowLength});
  ASSERT_TRUE(again.ok()) << again.status();
  const auto remapped = user_->Map(*again, *space_, {.iova = kWindowIova});
  ASSERT_TRUE(remapped.ok()) << remapped.status();
  Send(Pattern(3));
  EXPECT_EQ(twin->device.ReadPage(0, kTwinMemory), Pattern(3));
}

// The kernel tells of a fatal error first, function by function, each of which it locks, and resets the bus then: as
// late as somebody who has one of them locked lets it. Who looks at the device in between finds it as it was.
TEST_F(EndingsTest, ADeviceThatIsResetLongAfterItToldOfTheErrorIsBoundAnewAllTheSame) {
  constexpr int kErrors = 4;
  const auto window =
      user_->CreateExport({.device = Name(kTwin), .bar = 0, .offset = kTwinMemory, .length = kWindowLength});
  ASSERT_TRUE(window.ok()) << window.status();
  auto mapping = user_->Map(*window, *space_, {.iova = kWindowIova});
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  for (uint32_t i = 0; i < kErrors; ++i) {
    KernelLog log;
    {
      const Resetter resetter(kOtherTwin);
      InjectFatalError(PciAddress{.bus = 5});
      ASSERT_TRUE(Eventually([&] { return log.Says({"AER: device recovery successful"}); })) << i;
    }
    EXPECT_TRUE(Eventually([&] {
      Send(Pattern(i));
      return Fetch() == Pattern(i);
    })) << "after error "
        << i << ": " << StateOf(kTwin) << ", " << mapping->Refresh().value();
    EXPECT_EQ(mapping->Refresh().value(), p2p::v1::Mapping::ACTIVE);
    EXPECT_EQ(StateOf(kTwin), p2p::v1::Device::READY);
  }
}

// Whoever keeps the fd of a function that root unbinds keeps it locked. The kernel's recovery then fails, as that
// function has no driver any more, but resets the bus all the same.
TEST_F(EndingsTest, ARecoveryThatAClientHoldsUpIsNotWaitedForAndIsLookedAtWhenItEnds) {
  const auto window =
      user_->CreateExport({.device = Name(kTwin), .bar = 0, .offset = kTwinMemory, .length = kWindowLength});
  ASSERT_TRUE(window.ok()) << window.status();
  auto mapping = user_->Map(*window, *space_, {.iova = kWindowIova});
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  const auto reaches = [&](uint32_t seed) {
    Send(Pattern(seed));
    return Fetch() == Pattern(seed);
  };
  std::optional<Driven> beside;
  beside.emplace(kernel_, *driver_, kOtherTwin);
  const auto write = [](const std::string& file) { std::ofstream("/sys/bus/pci/" + file) << kOtherTwin << std::flush; };
  std::thread unbinding([&] { write("drivers/vfio-pci/unbind"); });
  EXPECT_TRUE(Eventually([&] { return StateOf(kOtherTwin) == p2p::v1::Device::GONE; })) << StateOf(kOtherTwin);

  KernelLog log;
  InjectFatalError(PciAddress{.bus = 5});
  EXPECT_TRUE(Eventually(
      [&] { return Receipt(p2p::v1::Operation::DEVICE_ERROR, Name(kTwin)).state() == p2p::v1::Operation::SUCCEEDED; }));
  const p2p::v1::Operation receipt = Receipt(p2p::v1::Operation::DEVICE_ERROR, Name(kTwin));
  EXPECT_THAT(receipt.ShortDebugString(), HasSubstr("has not said within 5s"));
  EXPECT_TRUE(Eventually([&] { return mapping->Refresh().value() == p2p::v1::Mapping::ACTIVE; }));
  EXPECT_TRUE(reaches(1)) << "nothing was reset yet";

  beside.reset();
  unbinding.join();
  EXPECT_TRUE(Eventually([&] { return log.Says({"AER: device recovery failed"}); }));
  EXPECT_TRUE(Eventually([&] { return reaches(2); })) << StateOf(kTwin) << ", " << mapping->Refresh().value();
  EXPECT_EQ(StateOf(kTwin), p2p::v1::Device::READY);
  write("drivers_probe");
  EXPECT_TRUE(Eventually([&] { return StateOf(kOtherTwin) == p2p::v1::Device::READY; })) << StateOf(kOtherTwin);
}

TEST_F(EndingsTest, MemoryDecodeThatADriverTurnsOffIsNoticedAtTheNextMapAndPutRight) {
  Driven nvme(kernel_, *driver_, kNvme);
  const auto window = user_->CreateExport({.device = Name(kNvme), .bar = kCmbBar, .length = kWindowLength});
  ASSERT_TRUE(window.ok()) << window.status();
  auto mapping = user_->Map(*window, *space_, {.iova = kWindowIova});
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  Send(Pattern(1));
  ASSERT_EQ(nvme.device.ReadPage(kCmbBar, 0), Pattern(1));

  const uint8_t off[2] = {};
  ASSERT_EQ(kernel_.WriteConfig(FdRef(nvme.right.fd()), PCI_COMMAND, off), absl::OkStatus());
  ExpectStopped();
  EXPECT_FALSE(user_->Map(*window, *space_, {.iova = 2 * kWindowIova}).ok());
  ASSERT_TRUE(Eventually([&] { return StateOf(kNvme) == p2p::v1::Device::AWAITING_DRIVER; })) << StateOf(kNvme);
  ASSERT_EQ(nvme.right.Ready(user_->GetDevice(Name(kNvme)).value().generation()), absl::OkStatus());
  EXPECT_EQ(mapping->Refresh().value(), p2p::v1::Mapping::ACTIVE);
  Send(Pattern(2));
  EXPECT_EQ(nvme.device.ReadPage(kCmbBar, 0), Pattern(2));
  const p2p::v1::Operation receipt = Receipt(p2p::v1::Operation::DEVICE_ERROR, Name(kNvme));
  EXPECT_EQ(receipt.state(), p2p::v1::Operation::SUCCEEDED) << receipt.ShortDebugString();
}

TEST_F(EndingsTest, TheNextDriverSeesNoByteOfTheLast) {
  std::vector<uint64_t> places;
  {
    const auto last = p2pd_.Connect("last driver");
    const Driven nvme(kernel_, *last, kNvme);
    for (const auto& bar : nvme.right.info().bars()) {
      if (bar.index() == kCmbBar) places = {0, bar.size() / 2, bar.size() - kPage};
    }
    for (const uint64_t place : places) {
      nvme.device.WritePage(kCmbBar, place, Pattern(static_cast<uint32_t>(place) + 7));
    }
  }
  ASSERT_EQ(places.size(), 3u);
  ASSERT_TRUE(Eventually([&] {
    const p2p::v1::Device device = user_->GetDevice(Name(kNvme)).value();
    return device.driver_session().empty() && device.state() == p2p::v1::Device::READY;
  }));
  const Driven nvme(kernel_, *driver_, kNvme);
  for (const uint64_t place : places) {
    EXPECT_EQ(nvme.device.ReadPage(kCmbBar, place), std::vector<uint8_t>(kPage)) << "at " << place;
  }
}

// QEMU's NVMe refuses to be an SR-IOV one with a controller memory buffer, so what is mapped is registers. Those of a
// virtual function that nobody has brought online read as zeros, but for CSTS, which after a reset of its own says that
// it has failed.
//
// QEMU 7.2 takes the virtual functions away at a reset of their physical one, its bind included, and leaves VF Enable
// set, at the sight of which the kernel does not restore them (iov.c: sriov_restore_state). BringBack() does it
// instead.
class VirtualEndingsTest : public EndingsTest {
 protected:
  void SetUp() override {
    EndingsTest::SetUp();
    EXPECT_EQ(StateOf(kVirtual), p2p::v1::Device::FAULTED) << "p2pd bound the physical one";
    BringBack();
    Recover();
    physical_.emplace(kernel_, *driver_, kPhysical);
    MapWindow();
    ExpectRead();
  }

  // Writes NumVFs, and VF Enable as it is.
  static void BringBack() {
    const UniqueFd config(open((std::string("/sys/bus/pci/devices/") + kPhysical + "/config").c_str(), O_RDWR));
    off_t at = PCI_CFG_SPACE_SIZE;
    uint32_t header = 0;
    while (pread(config.get(), &header, sizeof(header), at) == ssize_t{sizeof(header)} &&
           PCI_EXT_CAP_ID(header) != PCI_EXT_CAP_ID_SRIOV && PCI_EXT_CAP_NEXT(header) != 0) {
      at = PCI_EXT_CAP_NEXT(header);
    }
    ASSERT_EQ(PCI_EXT_CAP_ID(header), unsigned{PCI_EXT_CAP_ID_SRIOV});
    uint16_t control = 0;
    ASSERT_EQ(pread(config.get(), &control, sizeof(control), at + PCI_SRIOV_CTRL), ssize_t{sizeof(control)});
    ASSERT_NE(control & PCI_SRIOV_CTRL_VFE, 0);
    const uint16_t count = 1;
    ASSERT_EQ(pwrite(config.get(), &count, sizeof(count), at + PCI_SRIOV_NUM_VF), ssize_t{sizeof(count)});
    ASSERT_EQ(pwrite(config.get(), &control, sizeof(control), at + PCI_SRIOV_CTRL), ssize_t{sizeof(control)});
  }

  void Recover() {
    std::string said;
    ASSERT_EQ(p2pd_.P2pctl(std::string("device recover ") + kVirtual, said), 0) << said;
    ASSERT_EQ(StateOf(kVirtual), p2p::v1::Device::READY) << said;
  }

  void MapWindow() {
    auto window = user_->CreateExport({.device = Name(kVirtual), .bar = 0, .length = kPage});
    ASSERT_TRUE(window.ok()) << window.status();
    window_.emplace(*std::move(window));
    auto mapping = user_->Map(*window_, *space_, {.iova = kWindowIova});
    ASSERT_TRUE(mapping.ok()) << mapping.status();
    mapping_.emplace(*std::move(mapping));
  }

  // The engine reads the virtual function's registers, and the IOMMU has nothing against it.
  void ExpectRead(uint8_t status = 2) {
    KernelLog log;
    const std::vector<uint8_t> before = Pattern(5);
    std::copy(before.begin(), before.end(), memory_->data());
    engine_->device.CopyPage(kWindowIova, kMemoryIova);
    std::vector<uint8_t> registers(kPage);
    registers[0x1c] = status;
    EXPECT_EQ(std::vector<uint8_t>(memory_->data(), memory_->data() + kPage), registers);
    EXPECT_FALSE(log.Says({"DMAR", "[0000:00:10.0]"}));
  }

  std::optional<Driven> physical_;
  std::optional<p2p::Export> window_;
  std::optional<p2p::Mapping> mapping_;
};

// That one which comes back with its physical function is put back with it, SimKernel has to show.
TEST_F(VirtualEndingsTest, WhatIsMappedOfOneIsLostWhereAResetOfThePhysicalFunctionTakesItAway) {
  const absl::StatusOr<p2p::v1::Operation> receipt = physical_->right.Reset();
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_EQ(receipt->devices_size(), 2);
  ASSERT_EQ(receipt->mappings_size(), 1);
  EXPECT_EQ(receipt->mappings(0).state(), p2p::v1::Mapping::LOST) << receipt->ShortDebugString();
  ASSERT_EQ(receipt->parties_size(), 1);
  EXPECT_EQ(receipt->parties(0).answer(), p2p::v1::Operation::Party::ACKED);
  EXPECT_EQ(StateOf(kVirtual), p2p::v1::Device::FAULTED);
  ExpectStopped();

  BringBack();
  Recover();
  ExpectStopped();
  ASSERT_EQ(mapping_->Release(), absl::OkStatus());
  MapWindow();
  ExpectRead();
}

TEST_F(VirtualEndingsTest, AResetOfOnePutsBackWhatIsMappedOfIt) {
  Driven virtual_function(kernel_, *driver_, kVirtual);
  const absl::StatusOr<p2p::v1::Operation> receipt = virtual_function.right.Reset();
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_EQ(receipt->state(), p2p::v1::Operation::SUCCEEDED) << receipt->ShortDebugString();
  EXPECT_EQ(receipt->devices_size(), 1);
  ASSERT_EQ(receipt->mappings_size(), 1);
  EXPECT_EQ(receipt->mappings(0).state(), p2p::v1::Mapping::ACTIVE);
  EXPECT_EQ(receipt->mappings(0).iova(), kWindowIova);
  EXPECT_EQ(mapping_->Refresh().value(), p2p::v1::Mapping::ACTIVE);
  ExpectRead();
}

TEST_F(VirtualEndingsTest, ABusThatHasAVirtualFunctionOnItIsNotResetAndItsUsersAreNotAskedToStop) {
  const auto refused = physical_->right.Reset(p2p::v1::ResetDeviceRequest::BUS);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("0000:06:00.1 is a virtual function"));
  ExpectRead();
}

TEST_F(VirtualEndingsTest, ThePhysicalFunctionIsBoundAnewWhileTheVirtualOneIsBoundAndMapped) {
  ASSERT_EQ(kernel_.SetVfToken(FdRef(physical_->right.fd()), VfToken{1}), absl::OkStatus()) << "as a driver may";
  physical_.reset();
  EXPECT_TRUE(Eventually([&] {
    const p2p::v1::Device device = user_->GetDevice(Name(kPhysical)).value();
    return device.driver_session().empty() && device.state() == p2p::v1::Device::READY;
  })) << user_->GetDevice(Name(kPhysical))->DebugString();
}

}  // namespace
}  // namespace p2pd::vm
