// Resets, as the device's driver sees them.
#include <cerrno>

#include "tests/contract/fixture.h"

namespace p2pd::contract {
namespace {

// NVMe registers.
constexpr uint64_t kCc = 0x14;
constexpr uint64_t kCsts = 0x1c;
constexpr uint64_t kAqa = 0x24;
constexpr uint64_t kAsq = 0x28;
constexpr uint64_t kAcq = 0x30;
constexpr uint32_t kEnable = 0x00460001;  // with entries of 64 and 16 bytes
constexpr uint32_t kReady = 1;

class ResetTest : public ContractTest {
 protected:
  void SetUp() override { context_ = NewContext(); }

  void EnableController(FdRef nvme) {
    WriteRegister32(nvme, kCc, 0);
    EXPECT_TRUE(Eventually([&] { return (ReadRegister32(nvme, kCsts) & kReady) == 0; }));
    WriteRegister32(nvme, kAqa, 0x000f000f);
    WriteRegister64(nvme, kAsq, 0x100000);
    WriteRegister64(nvme, kAcq, 0x200000);
    WriteRegister32(nvme, kCc, kEnable);
    EXPECT_TRUE(Eventually([&] { return (ReadRegister32(nvme, kCsts) & kReady) != 0; }));
  }

  UniqueFd context_;
};

TEST_F(ResetTest, KeepsMemoryDecodeAndBusMastering) {
  const UniqueFd device = OpenBound(Role::kExporter, context_);
  ASSERT_THAT(SetCommandBits(device, kBusMaster, true), Succeeds());
  ASSERT_THAT(kernel().ResetDevice(device), Succeeds());
  EXPECT_EQ(Command(device) & (kMemoryDecode | kBusMaster), kMemoryDecode | kBusMaster);
}

TEST_F(ResetTest, ClearsTheDevicesState) {
  const UniqueFd device = OpenBound(Role::kExporter, context_);
  EnableController(device);
  ASSERT_THAT(kernel().ResetDevice(device), Succeeds());
  EXPECT_EQ(ReadRegister32(device, kCsts) & kReady, 0u);
}

TEST_F(ResetTest, CanBeRepeated) {
  const UniqueFd device = OpenBound(Role::kExporter, context_);
  ASSERT_THAT(kernel().ResetDevice(device), Succeeds());
  EnableController(device);
  ASSERT_THAT(kernel().ResetDevice(device), Succeeds());
  EXPECT_EQ(ReadRegister32(device, kCsts) & kReady, 0u);
}

TEST_F(ResetTest, ComesWithBinding) {
  UniqueFd device = OpenBound(Role::kExporter, context_);
  EnableController(device);
  device.Reset();
  device = OpenBound(Role::kExporter, context_);
  EXPECT_EQ(ReadRegister32(device, kCsts) & kReady, 0u);
}

TEST_F(ResetTest, IsRefusedWhereTheFunctionHasNone) {
  const UniqueFd device = OpenBound(Role::kPlainMemory, context_);
  const IoasId ioas = NewIoas(context_);
  const absl::StatusOr<UniqueFd> window = Export(device, kPage);
  ASSERT_THAT(window, Succeeds());
  EXPECT_THAT(kernel().ResetDevice(device), FailsWith(EINVAL));
  // And nothing was revoked.
  EXPECT_THAT(Map(context_, ioas, *window, 0x10000, kPage), Succeeds());
}

TEST_F(ResetTest, LeavesOtherDevicesAlone) {
  const UniqueFd device = OpenBound(Role::kExporter, context_);
  const UniqueFd other = OpenBound(Role::kSecondNvme, context_);
  EnableController(other);
  ASSERT_THAT(kernel().ResetDevice(device), Succeeds());
  EXPECT_EQ(ReadRegister32(other, kCsts) & kReady, kReady);
}

TEST_F(ResetTest, KeepsTheDeviceAttached) {
  const IoasId ioas = NewIoas(context_);
  const UniqueFd device = OpenAttached(Role::kExporter, context_, ioas);
  ASSERT_THAT(kernel().ResetDevice(device), Succeeds());
  EXPECT_THAT(kernel().DestroyIoas(context_, ioas), FailsWith(EBUSY));
}

TEST_F(ResetTest, InterruptsCanBeTakenDownWhereNoneAreUp) {
  const UniqueFd nvme = OpenBound(Role::kExporter, context_);
  const UniqueFd memory = OpenBound(Role::kPlainMemory, context_);
  EXPECT_THAT(kernel().DisableInterrupts(nvme), Succeeds());
  EXPECT_THAT(kernel().DisableInterrupts(memory), Succeeds());
}

}  // namespace
}  // namespace p2pd::contract
