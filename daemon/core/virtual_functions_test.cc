// A reset of a physical function takes its virtual functions along, or is refused.
#include <filesystem>
#include <fstream>

#include "daemon/base/errors.h"
#include "daemon/core/testing/core_world.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;

constexpr uint64_t kMiB = 1 << 20;

// kExporter is a physical function, and kExporter2 a virtual one of it.
class VirtualFunctionsTest : public ::testing::Test {
 protected:
  VirtualFunctionsTest() {
    std::ofstream(Folder(CoreWorld::kExporter.ToString()) / "sriov_totalvfs") << "8\n";
    Enable(0, CoreWorld::kExporter2.ToString());
    world_.broker->Rescan();
    world_.scheduler.RunReady();
    world_.Drive(driver_, CoreWorld::kExporter);
    world_.Drive(virtual_driver_, CoreWorld::kExporter2);
    world_.Drive(importer_, CoreWorld::kEngine);
    mapping_ = world_.Map(importer_, world_.Export(importer_, CoreWorld::kExporter2, {0, kMiB}).id,
                          world_.Space(importer_, CoreWorld::kEngine).id);
  }

  fs::path Folder(const std::string& address) { return fs::path(world_.sysfs()) / "bus/pci/devices" / address; }
  // The links that the kernel makes, one in each direction.
  void Enable(int number, const std::string& address) {
    fs::create_symlink("../" + CoreWorld::kExporter.ToString(), Folder(address) / "physfn");
    fs::create_symlink("../" + address, Folder(CoreWorld::kExporter.ToString()) / ("virtfn" + std::to_string(number)));
  }
  // A virtual function that is not p2pd's.
  void EnableForeign(const std::string& driver) {
    fs::create_directory(Folder("0000:01:00.7"));
    if (!driver.empty()) fs::create_symlink("../../../drivers/" + driver, Folder("0000:01:00.7") / "driver");
    Enable(1, "0000:01:00.7");
  }
  void Begin(ResetScope scope = ResetScope::kFunction) {
    world_.broker->ResetDevice(driver_.id, world_.NextRequest(), {CoreWorld::kExporter, scope},
                               [this](absl::StatusOr<OperationView> got) { reset_ = std::move(got); });
    world_.scheduler.RunReady();
  }
  void Ack(const Client& client) {
    ASSERT_FALSE(client.channel->quiesces.empty());
    world_.broker->AckQuiesce(client.id, client.channel->quiesces.back().operation);
    world_.scheduler.RunReady();
  }
  bool Reaches() { return world_.Reaches(CoreWorld::kEngine, CoreWorld::kExporter2, 0); }
  DeviceState StateOf(const PciAddress& device) { return world_.broker->GetDevice(device)->state; }

  CoreWorld world_;
  Client driver_ = world_.Connect(1000);
  Client virtual_driver_ = world_.Connect(1001);
  Client importer_ = world_.Connect(1002);
  MappingView mapping_;
  std::optional<absl::StatusOr<OperationView>> reset_;
};

TEST_F(VirtualFunctionsTest, TheirUsersAreAskedAndTheirWindowsUnmappedBeforeTheOneReset) {
  const int resets = world_.kernel->CallCount(sim::Verb::kResetDevice);
  Begin();
  EXPECT_TRUE(Reaches());
  Ack(virtual_driver_);
  EXPECT_EQ(world_.kernel->CallCount(sim::Verb::kResetDevice), resets);
  EXPECT_EQ(StateOf(CoreWorld::kExporter2), DeviceState::kQuiescing);
  Ack(importer_);
  ASSERT_TRUE(reset_.has_value() && reset_->ok());
  EXPECT_EQ(world_.kernel->CallCount(sim::Verb::kResetDevice), resets + 1);
  EXPECT_THAT((*reset_)->devices, ElementsAre(CoreWorld::kExporter, CoreWorld::kExporter2));
}

TEST_F(VirtualFunctionsTest, TheirMappingsComeBackAndTheirDriversSetThemUpAgain) {
  Begin();
  Ack(virtual_driver_);
  Ack(importer_);
  EXPECT_TRUE(Reaches());
  const MappingView back = *world_.broker->GetMapping(importer_.id, mapping_.id);
  EXPECT_EQ(back.state, MappingState::kActive);
  EXPECT_EQ(back.iova, mapping_.iova);
  EXPECT_EQ(StateOf(CoreWorld::kExporter), DeviceState::kAwaitingDriver);
  EXPECT_EQ(StateOf(CoreWorld::kExporter2), DeviceState::kAwaitingDriver);
}

TEST_F(VirtualFunctionsTest, WhatWasExportedOfThemIsRevokedAroundTheReset) {
  const int writes = world_.kernel->CallCount(sim::Verb::kWriteConfig);
  Begin();
  Ack(virtual_driver_);
  Ack(importer_);
  std::vector<std::string> steps;
  for (const OperationStep& step : (*reset_)->steps) steps.push_back(step.what);
  EXPECT_THAT(steps, IsSupersetOf({"memory decode off: 0000:03:00.0", "reset", "memory decode on: 0000:03:00.0"}));
  EXPECT_THAT(steps, Not(::testing::Contains("memory decode off: 0000:01:00.0")));
  EXPECT_EQ(world_.kernel->CallCount(sim::Verb::kWriteConfig), writes + 2) << "off, which revokes, and on";
}

TEST_F(VirtualFunctionsTest, OneThatAnotherDriverHasIsNamedInTheRefusal) {
  EnableForeign("nvme");
  Begin();
  ASSERT_TRUE(reset_.has_value());
  EXPECT_EQ(GetErrorInfo(reset_->status()).reason, Reason::kDeviceUnusable);
  EXPECT_THAT(std::string(reset_->status().message()), HasSubstr("0000:01:00.7 is bound to nvme"));
  EXPECT_TRUE(virtual_driver_.channel->quiesces.empty());
  EXPECT_EQ(StateOf(CoreWorld::kExporter), DeviceState::kReady);
}

TEST_F(VirtualFunctionsTest, OneThatNoDriverHasIsInNobodysWay) {
  EnableForeign("");
  Begin();
  Ack(virtual_driver_);
  Ack(importer_);
  ASSERT_TRUE(reset_.has_value());
  EXPECT_TRUE(reset_->ok()) << reset_->status();
}

TEST_F(VirtualFunctionsTest, OneThatIsBeingResetItselfStandsInTheWay) {
  world_.broker->ResetDevice(virtual_driver_.id, "own", CoreWorld::kExporter2, [](absl::StatusOr<OperationView>) {});
  Begin();
  ASSERT_TRUE(reset_.has_value());
  EXPECT_THAT(std::string(reset_->status().message()), HasSubstr("0000:03:00.0 is QUIESCING"));
}

TEST_F(VirtualFunctionsTest, WhoeverAsksNeedsTheRightToResetEachThatItDoesNotDrive) {
  world_.policy->denied = {Action::kReset};
  Begin();
  ASSERT_TRUE(reset_.has_value());
  EXPECT_TRUE(absl::IsPermissionDenied(reset_->status())) << reset_->status();
  EXPECT_TRUE(Reaches());
}

TEST_F(VirtualFunctionsTest, TheEndOfThePhysicalOnesDriverIsAnErrorToThem) {
  driver_.channel->grants.clear();
  EXPECT_TRUE(world_.Call(&Broker::CloseDevice, driver_, CoreWorld::kExporter).ok());
  world_.scheduler.RunReady();
  EXPECT_EQ(StateOf(CoreWorld::kExporter2), DeviceState::kAwaitingDriver);
  EXPECT_FALSE(Reaches());
  Ack(importer_);
  EXPECT_TRUE(Reaches());
  EXPECT_EQ(world_.broker->ListOperations(importer_.id).back().kind, OperationKind::kDeviceError);
}

TEST_F(VirtualFunctionsTest, AVirtualFunctionIsResetAlone) {
  world_.broker->ResetDevice(virtual_driver_.id, "own", CoreWorld::kExporter2,
                             [this](absl::StatusOr<OperationView> got) { reset_ = std::move(got); });
  world_.scheduler.RunReady();
  Ack(importer_);
  ASSERT_TRUE(reset_.has_value() && reset_->ok());
  EXPECT_THAT((*reset_)->devices, ElementsAre(CoreWorld::kExporter2));
}

TEST_F(VirtualFunctionsTest, AResetOfTheBusTakesAlongThoseThatTheKernelDoesNotList) {
  const int resets = world_.kernel->CallCount(sim::Verb::kHotReset);
  Begin(ResetScope::kBus);
  Ack(virtual_driver_);
  EXPECT_TRUE(Reaches());
  EXPECT_EQ(world_.kernel->CallCount(sim::Verb::kHotReset), resets);
  Ack(importer_);
  ASSERT_TRUE(reset_.has_value() && reset_->ok());
  EXPECT_THAT((*reset_)->devices, ElementsAre(CoreWorld::kExporter, CoreWorld::kExporter2));
  std::vector<std::string> steps;
  for (const OperationStep& step : (*reset_)->steps) steps.push_back(step.what);
  EXPECT_THAT(steps, IsSupersetOf({"memory decode off: 0000:03:00.0", "bus reset", "memory decode on: 0000:03:00.0"}));
  EXPECT_THAT(steps, Not(::testing::Contains("memory decode off: 0000:01:00.0")));
  EXPECT_TRUE(Reaches());
  EXPECT_EQ(StateOf(CoreWorld::kExporter2), DeviceState::kAwaitingDriver);
}

TEST_F(VirtualFunctionsTest, AResetOfTheBusIsRefusedWhereAnotherDriverHasOne) {
  EnableForeign("nvme");
  Begin(ResetScope::kBus);
  ASSERT_TRUE(reset_.has_value());
  EXPECT_THAT(std::string(reset_->status().message()), HasSubstr("0000:01:00.7 is bound to nvme"));
  EXPECT_TRUE(virtual_driver_.channel->quiesces.empty());
}

constexpr PciAddress kPhysical = {.bus = 6};
constexpr PciAddress kVirtual = {.bus = 6, .function = 1};
constexpr char kPair[] = R"pb(
  device {
    bdf: "0000:06:00.0"
    iommu_group: 10
    bar { index: 0 size: 0x4000 }
  }
  device {
    bdf: "0000:06:00.1"
    iommu_group: 11
    bar { index: 0 size: 0x4000 }
    physical_function: "0000:06:00.0"
  }
)pb";

// A physical function and its virtual one, both of vfio-pci: the kernel binds neither without the token of the first.
class VfTokenTest : public ::testing::Test {
 protected:
  explicit VfTokenTest(BrokerOptions options = {}) : world_(std::move(options), kPair) {}

  DeviceView View(const PciAddress& device) { return *world_.broker->GetDevice(device); }
  // The driver of the physical function goes.
  void EndDriver() {
    driver_.channel->grants.clear();
    EXPECT_TRUE(world_.Call(&Broker::CloseDevice, driver_, kPhysical).ok());
    world_.scheduler.RunReady();
  }

  CoreWorld world_;
  Client driver_ = world_.Connect(1000);
};

TEST_F(VfTokenTest, BothAreBound) {
  EXPECT_EQ(View(kPhysical).state, DeviceState::kReady) << View(kPhysical).state_reason;
  EXPECT_EQ(View(kVirtual).state, DeviceState::kReady) << View(kVirtual).state_reason;
}

TEST_F(VfTokenTest, ThePhysicalOneIsBoundAnewWhileTheVirtualOneIsBound) {
  world_.Drive(driver_, kPhysical);
  EndDriver();
  EXPECT_EQ(View(kPhysical).state, DeviceState::kReady) << View(kPhysical).state_reason;
}

TEST_F(VfTokenTest, EvenIfItsDriverHadSetAnotherToken) {
  world_.Drive(driver_, kPhysical);
  ASSERT_TRUE(world_.kernel->SetVfToken(driver_.channel->grants.back().second, VfToken{1}).ok());
  EndDriver();
  EXPECT_EQ(View(kPhysical).state, DeviceState::kReady) << View(kPhysical).state_reason;
}

TEST_F(VfTokenTest, TheVirtualOneIsBoundAnewAfterItsDriver) {
  world_.Drive(driver_, kVirtual);
  driver_.channel->grants.clear();
  EXPECT_TRUE(world_.Call(&Broker::CloseDevice, driver_, kVirtual).ok());
  EXPECT_EQ(View(kVirtual).state, DeviceState::kReady) << View(kVirtual).state_reason;
}

// A virtual function that its physical one's reset does not bring back.
class VanishedFunctionTest : public VfTokenTest {
 protected:
  VanishedFunctionTest() {
    world_.Drive(driver_, kPhysical);
    world_.Drive(importer_, CoreWorld::kEngine);
    const ExportView source = world_.Export(importer_, kVirtual, {0, 0x1000}, /*bar=*/0);
    mapping_ = world_.Map(importer_, source.id, world_.Space(importer_, CoreWorld::kEngine).id);
    world_.kernel->VanishWithNextReset(kVirtual);
    importer_.channel->on_quiesce = [this](const QuiesceNotice& notice) {
      world_.broker->AckQuiesce(importer_.id, notice.operation);
    };
  }

  bool Reaches() { return world_.kernel->CanReach(CoreWorld::kEngine, kVirtual, 0, 0); }

  Client importer_ = world_.Connect(1001);
  MappingView mapping_;
};

TEST_F(VanishedFunctionTest, IsFaultedAndItsMappingsLost) {
  ASSERT_TRUE(Reaches());
  const auto reset = world_.Call(&Broker::ResetDevice, driver_, ResetArgs(kPhysical));
  ASSERT_TRUE(reset.ok()) << reset.status();
  EXPECT_EQ(reset->state, OperationState::kFailed);
  EXPECT_THAT(reset->error, HasSubstr("not on the bus"));
  EXPECT_EQ(View(kVirtual).state, DeviceState::kFaulted);
  EXPECT_THAT(View(kVirtual).state_reason, HasSubstr("not on the bus"));
  const MappingView lost = *world_.broker->GetMapping(importer_.id, mapping_.id);
  EXPECT_EQ(lost.state, MappingState::kLost);
  EXPECT_THAT(lost.state_reason, HasSubstr("devices/0000:06:00.1 is FAULTED"));
  EXPECT_FALSE(Reaches());
  EXPECT_EQ(View(kPhysical).state, DeviceState::kAwaitingDriver) << "its own reset went well";
}

TEST_F(VanishedFunctionTest, IsGoneWithItsMappingsWhereTheKernelHasTakenItBackToo) {
  world_.kernel->Unplug(kVirtual);  // of which p2pd has not heard yet
  ASSERT_TRUE(world_.Call(&Broker::ResetDevice, driver_, ResetArgs(kPhysical)).ok());
  world_.scheduler.Advance(absl::Seconds(1));
  EXPECT_EQ(View(kVirtual).state, DeviceState::kGone);
  EXPECT_TRUE(absl::IsNotFound(world_.broker->GetMapping(importer_.id, mapping_.id).status()));
  EXPECT_FALSE(Reaches());
}

TEST_F(VanishedFunctionTest, LosesItsMappingsAtTheEndOfThePhysicalOnesDriverToo) {
  EndDriver();
  EXPECT_EQ(View(kVirtual).state, DeviceState::kFaulted);
  EXPECT_TRUE(absl::IsNotFound(world_.broker->GetMapping(importer_.id, mapping_.id).status()));
  EXPECT_FALSE(Reaches());
}

TEST_F(VfTokenTest, ABusWithAVirtualFunctionOnItIsNotReset) {
  const auto refused = world_.Call(&Broker::ResetDevice, driver_, ResetArgs(kPhysical, ResetScope::kBus));
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("0000:06:00.1 is a virtual function"));
}

class StrangersPhysicalFunctionTest : public VfTokenTest {
 protected:
  StrangersPhysicalFunctionTest() : VfTokenTest({.managed = {kVirtual}}) {}
};

TEST_F(StrangersPhysicalFunctionTest, LeavesTheVirtualOneFaultedAndSaysWhy) {
  EXPECT_EQ(View(kVirtual).state, DeviceState::kFaulted);
  EXPECT_THAT(View(kVirtual).state_reason, HasSubstr("EACCES"));
}

}  // namespace
}  // namespace p2pd
