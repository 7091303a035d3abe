// The system's sleep on a real kernel in the test VM, as far as p2pd has a part in it: a logind of the test's own says
// that it is about to come, and that it is over. The kernel does not sleep: the VM's root is on 9p, which does not come
// back after virtio's suspension. p2pd is another process; what sleep did to a window is asked of the devices, by their
// DMA.
#include <stdlib.h>

#include <optional>
#include <string>

#include "gtest/gtest.h"
#include "tests/component/fake_logind.h"
#include "tests/component/private_bus.h"
#include "tests/vm/engine_test.h"

namespace p2pd::vm {
namespace {

constexpr char kManaged[] = "0000:01:00.0,0000:00:10.0";

// A system bus, with a logind, for the p2pd that starts after it.
class BusOfItsOwn {
 protected:
  BusOfItsOwn() {
    bus_.Start();
    EXPECT_EQ(setenv("DBUS_SYSTEM_BUS_ADDRESS", bus_.address().c_str(), 1), 0);
    logind_.emplace(bus_.address());
  }

  PrivateBus bus_;
  std::optional<FakeLogind> logind_;
};

class SleepTest : BusOfItsOwn, public EngineTest {
 protected:
  SleepTest() : EngineTest(kManaged) {}

  void SetUp() override {
    EngineTest::SetUp();
    logind_->AwaitInhibitors(1);
  }

  // As logind does.
  void Sleep() {
    logind_->Prepare(true);
    ASSERT_TRUE(logind_->AwaitRelease());
    EXPECT_EQ(mapping_->Refresh().value(), p2p::v1::Mapping::SUSPENDED);
    ExpectStopped();
    logind_->Prepare(false);
    logind_->AwaitInhibitors(2);
  }

  std::optional<p2p::Mapping> mapping_;
};

TEST_F(SleepTest, NothingIsMappedWhileItLastsAndEverythingIsBackAtItsPlaceAfterwards) {
  Driven nvme(kernel_, *driver_, kNvme);
  const auto window = user_->CreateExport({.device = Name(kNvme), .bar = kCmbBar, .length = kWindowLength});
  ASSERT_TRUE(window.ok()) << window.status();
  auto mapping = user_->Map(*window, *space_, {.iova = kWindowIova});
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  mapping_.emplace(*std::move(mapping));
  Send(Pattern(1));
  ASSERT_EQ(nvme.device.ReadPage(kCmbBar, 0), Pattern(1));

  Sleep();

  for (Driven* driven : {&nvme, &*engine_}) {
    const std::string& device = driven->right.info().name();
    ASSERT_TRUE(Eventually([&] { return user_->GetDevice(device)->state() == p2p::v1::Device::AWAITING_DRIVER; }));
    driven->device.Enable();
    EXPECT_EQ(driven->right.Ready(user_->GetDevice(device)->generation()), absl::OkStatus());
  }
  EXPECT_EQ(mapping_->Refresh().value(), p2p::v1::Mapping::ACTIVE);
  EXPECT_EQ(mapping_->iova(), kWindowIova);
  Send(Pattern(2));
  EXPECT_EQ(nvme.device.ReadPage(kCmbBar, 0), Pattern(2));
  const p2p::v1::Operation receipt = Receipt(p2p::v1::Operation::SLEEP);
  EXPECT_EQ(receipt.state(), p2p::v1::Operation::SUCCEEDED) << receipt.ShortDebugString();
  ASSERT_EQ(receipt.mappings_size(), 1) << receipt.ShortDebugString();
  EXPECT_EQ(receipt.mappings(0).state(), p2p::v1::Mapping::ACTIVE);
}

}  // namespace
}  // namespace p2pd::vm
