// Resets, as the device's driver sees them.
#include <cerrno>

#include "tests/contract/fixture.h"

namespace p2pd::contract {
namespace {

class ResetTest : public ContractTest {
 protected:
  void SetUp() override { context_ = NewContext(); }

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
  EXPECT_FALSE(ControllerIsReady(device));
}

TEST_F(ResetTest, CanBeRepeated) {
  const UniqueFd device = OpenBound(Role::kExporter, context_);
  ASSERT_THAT(kernel().ResetDevice(device), Succeeds());
  EnableController(device);
  ASSERT_THAT(kernel().ResetDevice(device), Succeeds());
  EXPECT_FALSE(ControllerIsReady(device));
}

TEST_F(ResetTest, ComesWithBinding) {
  UniqueFd device = OpenBound(Role::kExporter, context_);
  EnableController(device);
  device.Reset();
  device = OpenBound(Role::kExporter, context_);
  EXPECT_FALSE(ControllerIsReady(device));
}

TEST_F(ResetTest, OfTheBusComesWithTheLastCloseWhereTheFunctionHasNone) {
  TheWorld().SetResettable(Role::kExporter, false);
  UniqueFd device = OpenBound(Role::kExporter, context_);
  EnableController(device);
  device.Reset();
  device = OpenBound(Role::kExporter, context_);
  TheWorld().SetResettable(Role::kExporter, true);
  EXPECT_FALSE(ControllerIsReady(device));
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
  EXPECT_TRUE(ControllerIsReady(other));
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
