// Whoever asks p2pd for something waits for that, and for nothing that others have asked for: a reset that is stuck
// in the kernel, above all.
#include "daemon/core/testing/core_world.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

constexpr uint64_t kMiB = 1 << 20;

class StuckTest : public ::testing::Test {
 protected:
  // What was left to other threads.
  void TearDown() override { world_.scheduler.RunReady(); }
  int Calls(sim::Verb verb) { return world_.kernel->CallCount(verb); }

  CoreWorld world_;
  Client driver_ = world_.Connect();
};

TEST_F(StuckTest, AThreadThatOpensADeviceDoesNotRunTheResetThatIsAskedForMeanwhile) {
  const int resets = Calls(sim::Verb::kResetDevice);
  driver_.channel->on_grant = [&] {
    world_.broker->ResetDevice(driver_.id, "reset", CoreWorld::kExporter, [](absl::StatusOr<OperationView>) {});
  };
  bool opened = false;
  world_.broker->OpenDevice(driver_.id, "open", CoreWorld::kExporter,
                            [&](absl::StatusOr<DeviceView> device) { opened = device.ok(); });
  EXPECT_TRUE(opened);
  EXPECT_EQ(Calls(sim::Verb::kResetDevice), resets);
  world_.scheduler.RunReady();
  EXPECT_EQ(Calls(sim::Verb::kResetDevice), resets + 1);
}

class TwoSpacesTest : public StuckTest {
 protected:
  void SetUp() override {
    world_.Drive(driver_, CoreWorld::kExporter);
    const Client importer = world_.Connect();
    world_.Drive(importer, CoreWorld::kEngine);
    world_.Drive(importer, CoreWorld::kEngine2);
    importer_ = importer;
    source_ = world_.Export(importer, CoreWorld::kExporter, {0, kMiB}).id;
    for (const PciAddress& engine : {CoreWorld::kEngine, CoreWorld::kEngine2}) {
      mappings_.push_back(world_.Map(importer, source_, world_.Space(importer, engine).id).id);
    }
    unmaps_ = Calls(sim::Verb::kUnmap);
  }

  Client importer_;
  ExportId source_;
  std::vector<MappingId> mappings_;
  int unmaps_ = 0;
};

TEST_F(TwoSpacesTest, WhatOneSpaceHoldsUpIsNotRunByWhoWaitsForTheOther) {
  world_.broker->DeleteExport(importer_.id, "delete", source_, [](absl::StatusOr<OperationView>) {});
  EXPECT_EQ(Calls(sim::Verb::kUnmap), unmaps_) << "two tasks: one could wait for the other";
  world_.scheduler.RunReady();
  EXPECT_EQ(Calls(sim::Verb::kUnmap), unmaps_ + 2);
}

TEST_F(TwoSpacesTest, ASingleOneIsUnmappedByTheThreadThatAsks) {
  world_.broker->Unmap(importer_.id, "unmap", mappings_.front(), [](absl::StatusOr<MappingView>) {});
  EXPECT_EQ(Calls(sim::Verb::kUnmap), unmaps_ + 1);
}

TEST_F(TwoSpacesTest, WhoClosesItsDeviceDoesNotTurnItsDmaOffItself) {
  const int reads = Calls(sim::Verb::kReadConfig);
  world_.broker->CloseDevice(driver_.id, "close", CoreWorld::kExporter, [](absl::StatusOr<DeviceView>) {});
  EXPECT_EQ(Calls(sim::Verb::kReadConfig), reads) << "a reset by the driver itself would hold that up";
}

}  // namespace
}  // namespace p2pd
