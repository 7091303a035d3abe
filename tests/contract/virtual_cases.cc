// A physical function and its virtual one, both vfio-pci's: who may bind them, and what is reset together.
#include <linux/pci_regs.h>

#include <cerrno>

#include "tests/contract/fixture.h"

namespace p2pd::contract {
namespace {

constexpr VfToken kToken = {1, 2, 3};
constexpr VfToken kOther = {1, 2, 4};

class VirtualTest : public ContractTest {
 protected:
  absl::Status Bind(FdRef device, const std::optional<VfToken>& token) {
    return kernel().BindDevice(device, context_, token);
  }
  // The physical function, with kToken whatever it had.
  UniqueFd BindPhysical() {
    UniqueFd device = OpenBound(Role::kPhysical, context_);
    EXPECT_THAT(kernel().SetVfToken(device, kToken), Succeeds());
    return device;
  }

  const UniqueFd context_ = NewContext();
};

TEST_F(VirtualTest, AVirtualFunctionIsBoundWithTheTokenOfItsPhysicalOneAlone) {
  const UniqueFd physical = BindPhysical();
  const UniqueFd device = Open(Role::kVirtual);
  EXPECT_THAT(Bind(device, std::nullopt), FailsWith(EACCES));
  EXPECT_THAT(Bind(device, kOther), FailsWith(EACCES));
  EXPECT_THAT(Bind(device, kToken), Succeeds());
  EXPECT_THAT(kernel().GetDeviceInfo(device), Succeeds());
}

TEST_F(VirtualTest, TheTokenStaysWhenThePhysicalOneIsClosed) {
  BindPhysical().Reset();
  const UniqueFd device = Open(Role::kVirtual);
  EXPECT_THAT(Bind(device, std::nullopt), FailsWith(EACCES));
  EXPECT_THAT(Bind(device, kToken), Succeeds());
}

TEST_F(VirtualTest, ThePhysicalOneIsAskedForItsTokenWhileAVirtualOneIsBound) {
  UniqueFd physical = BindPhysical();
  UniqueFd device = Open(Role::kVirtual);
  ASSERT_THAT(Bind(device, kToken), Succeeds());
  physical.Reset();
  physical = Open(Role::kPhysical);
  EXPECT_THAT(Bind(physical, std::nullopt), FailsWith(EACCES));
  EXPECT_THAT(Bind(physical, kOther), FailsWith(EACCES));
  EXPECT_THAT(Bind(physical, kToken), Succeeds());
}

TEST_F(VirtualTest, ThePhysicalOneBringsATokenWhenNoVirtualOneIsBound) {
  BindPhysical().Reset();
  const UniqueFd physical = Open(Role::kPhysical);
  ASSERT_THAT(Bind(physical, kOther), Succeeds());
  const UniqueFd device = Open(Role::kVirtual);
  EXPECT_THAT(Bind(device, kToken), FailsWith(EACCES));
  EXPECT_THAT(Bind(device, kOther), Succeeds());
}

TEST_F(VirtualTest, AnotherTokenCanBeSetWhileAVirtualOneIsBound) {
  const UniqueFd physical = BindPhysical();
  UniqueFd device = Open(Role::kVirtual);
  ASSERT_THAT(Bind(device, kToken), Succeeds());
  EXPECT_THAT(kernel().SetVfToken(physical, kOther), Succeeds());
  EXPECT_THAT(kernel().GetDeviceInfo(device), Succeeds());
  device.Reset();
  device = Open(Role::kVirtual);
  EXPECT_THAT(Bind(device, kToken), FailsWith(EACCES));
  EXPECT_THAT(Bind(device, kOther), Succeeds());
}

TEST_F(VirtualTest, NobodyElseTakesAToken) {
  const UniqueFd device = Open(Role::kExporter);
  EXPECT_THAT(Bind(device, kToken), FailsWith(EINVAL));
  EXPECT_THAT(Bind(device, std::nullopt), Succeeds());
  EXPECT_THAT(kernel().SetVfToken(device, kToken), FailsWith(ENOTTY));
}

TEST_F(VirtualTest, AVirtualFunctionHasNoTokenOfItsOwn) {
  const UniqueFd physical = BindPhysical();
  const UniqueFd device = Open(Role::kVirtual);
  ASSERT_THAT(Bind(device, kToken), Succeeds());
  EXPECT_THAT(kernel().SetVfToken(device, kToken), FailsWith(ENOTTY));
}

TEST_F(VirtualTest, NoBusIsResetThatHasAVirtualFunctionOnIt) {
  const UniqueFd physical = BindPhysical();
  const UniqueFd device = Open(Role::kVirtual);
  ASSERT_THAT(Bind(device, kToken), Succeeds());
  const absl::StatusOr<HotResetInfo> set = kernel().GetHotResetInfo(physical);
  ASSERT_THAT(set, Succeeds());
  EXPECT_FALSE(set->all_owned);
  EXPECT_EQ(set->members, (std::vector<HotResetMember>{{.address = AddressOf(Role::kPhysical), .owned = true},
                                                       {.address = AddressOf(Role::kVirtual), .owned = false}}));
  EXPECT_THAT(kernel().HotReset(physical), FailsWith(EINVAL));
}

TEST_F(VirtualTest, AResetOfThePhysicalOneLeavesTheVirtualOneBound) {
  const UniqueFd physical = BindPhysical();
  const UniqueFd device = Open(Role::kVirtual);
  ASSERT_THAT(Bind(device, kToken), Succeeds());
  EXPECT_THAT(kernel().ResetDevice(physical), Succeeds());
  EXPECT_THAT(kernel().GetDeviceInfo(device), Succeeds());
}

// It is no longer there, and nobody tells VFIO.
TEST_F(VirtualTest, OneThatAResetTookOffTheBusReadsAsOnesButForWhatVfioKeepsItself) {
  const UniqueFd physical = BindPhysical();
  const UniqueFd device = Open(Role::kVirtual);
  ASSERT_THAT(Bind(device, kToken), Succeeds());
  Bytes ids(4), ids_after(4), class_and_revision(4);
  ASSERT_THAT(kernel().ReadConfig(device, PCI_VENDOR_ID, absl::MakeSpan(ids)), Succeeds());
  EXPECT_NE(ids, Bytes(4, 0xff));
  TheWorld().VanishWithNextReset(Role::kVirtual);
  ASSERT_THAT(kernel().ResetDevice(physical), Succeeds());
  EXPECT_EQ(Command(device) | PCI_COMMAND_INTX_DISABLE, 0xffff);
  ASSERT_THAT(kernel().ReadConfig(device, PCI_CLASS_REVISION, absl::MakeSpan(class_and_revision)), Succeeds());
  EXPECT_EQ(class_and_revision, Bytes(4, 0xff));
  ASSERT_THAT(kernel().ReadConfig(device, PCI_VENDOR_ID, absl::MakeSpan(ids_after)), Succeeds());
  EXPECT_EQ(ids_after, ids);
}

}  // namespace
}  // namespace p2pd::contract
