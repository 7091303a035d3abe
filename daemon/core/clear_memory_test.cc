// What a driver leaves in its device's memory is not there for the next: a reset need not clear it, so p2pd does.
#include <fcntl.h>
#include <unistd.h>

#include "daemon/base/errors.h"
#include "daemon/core/testing/core_world.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr uint64_t kSecret = 0x5ec7e7;
constexpr int kMemoryBar = 2;
constexpr uint64_t kPlaces[] = {0, (16 << 20) - sizeof(kSecret)};

class ClearMemoryTest : public ::testing::Test {
 protected:
  FdRef Fd(const Client& client) { return client.channel->grants.back().second; }
  off_t Offset(uint64_t place) {
    const auto region = world_.kernel->GetRegionInfo(Fd(last_), kMemoryBar);
    return static_cast<off_t>((region.ok() ? region->offset : 0) + place);
  }
  void WriteSecret(FdRef fd, off_t offset) {
    EXPECT_EQ(pwrite(fd.get(), &kSecret, sizeof(kSecret), offset), ssize_t{sizeof(kSecret)});
  }
  uint64_t Read(FdRef fd, off_t offset) {
    uint64_t word = 0;
    EXPECT_EQ(pread(fd.get(), &word, sizeof(word), offset), ssize_t{sizeof(word)});
    return word;
  }

  // The first driver writes its secret to the device.
  void DriveAndWrite() {
    world_.Drive(last_, CoreWorld::kExporter);
    for (const uint64_t place : kPlaces) {
      offsets_.push_back(Offset(place));
      WriteSecret(Fd(last_), offsets_.back());
    }
  }
  void End(Client& client) {
    client.channel->grants.clear();
    world_.broker->EndSession(client.id, "killed");
    world_.scheduler.RunReady();
  }
  DeviceState State() { return world_.broker->GetDevice(CoreWorld::kExporter)->state; }

  CoreWorld world_;
  Client last_ = world_.Connect(1000);
  Client next_ = world_.Connect(1001);
  std::vector<off_t> offsets_;
};

TEST_F(ClearMemoryTest, AResetByItselfLeavesWhatIsThere) {
  DriveAndWrite();
  ASSERT_TRUE(world_.Call(&Broker::ResetDevice, last_, ResetArgs(CoreWorld::kExporter)).ok());
  EXPECT_EQ(Read(Fd(last_), offsets_[0]), kSecret) << "its driver's own";
}

TEST_F(ClearMemoryTest, TheNextDriverFindsZeros) {
  DriveAndWrite();
  End(last_);
  world_.Drive(next_, CoreWorld::kExporter);
  for (const off_t offset : offsets_) EXPECT_EQ(Read(Fd(next_), offset), 0u);
}

TEST_F(ClearMemoryTest, TheReceiptSaysHowMuchWasCleared) {
  DriveAndWrite();
  End(last_);
  const auto operations = world_.broker->ListOperations(world_.Connect(0).id);
  ASSERT_FALSE(operations.empty());
  EXPECT_THAT(operations.back().steps, Contains(Field(&OperationStep::what, "clear 16384 KiB of its memory")));
}

TEST_F(ClearMemoryTest, ADeviceWithoutMemoryHasNoSuchStep) {
  world_.Drive(last_, CoreWorld::kEngine);
  End(last_);
  const auto operations = world_.broker->ListOperations(world_.Connect(0).id);
  ASSERT_FALSE(operations.empty());
  for (const OperationStep& step : operations.back().steps) EXPECT_THAT(step.what, Not(HasSubstr("clear")));
}

TEST_F(ClearMemoryTest, WhatCouldNotBeClearedAtOnceIsWhenItIsBoundAfresh) {
  DriveAndWrite();
  world_.kernel->FailNth(sim::Verb::kClearBar, 1, EIO);
  End(last_);
  world_.Drive(next_, CoreWorld::kExporter);
  EXPECT_EQ(Read(Fd(next_), offsets_[0]), 0u);
}

TEST_F(ClearMemoryTest, WhatCannotBeClearedHasNoNextDriverUnlessPolicySaysSoByName) {
  DriveAndWrite();
  world_.kernel->FailNth(sim::Verb::kClearBar, 1, EIO);
  world_.kernel->FailNth(sim::Verb::kClearBar, 2, EIO);
  End(last_);
  ASSERT_EQ(State(), DeviceState::kReady);
  const auto refused = world_.Call(&Broker::OpenDevice, next_, CoreWorld::kExporter);
  EXPECT_EQ(GetErrorInfo(refused.status()).reason, Reason::kDeviceUnusable);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("its memory could not be cleared"));
  world_.policy->scrub = Scrub::kReset;
  EXPECT_TRUE(world_.Call(&Broker::OpenDevice, next_, CoreWorld::kExporter).ok());
}

TEST_F(ClearMemoryTest, MemoryDecodeThatItsDriverTurnedOffIsNoHidingPlace) {
  DriveAndWrite();
  const uint8_t off[2] = {};
  ASSERT_TRUE(world_.kernel->WriteConfig(Fd(last_), 4, off).ok());
  End(last_);
  world_.Drive(next_, CoreWorld::kExporter);
  EXPECT_EQ(Read(Fd(next_), offsets_[0]), 0u);
}

TEST_F(ClearMemoryTest, WhatIsWrittenByAnFdThatWasKeptIsClearedWhenThatIsGone) {
  DriveAndWrite();
  UniqueFd kept(fcntl(Fd(last_).get(), F_DUPFD_CLOEXEC, 0));
  End(last_);
  ASSERT_EQ(State(), DeviceState::kTainted);
  WriteSecret(kept, offsets_[0]);
  kept.Reset();
  world_.scheduler.Advance(absl::Seconds(1));
  ASSERT_EQ(State(), DeviceState::kReady);
  world_.Drive(next_, CoreWorld::kExporter);
  EXPECT_EQ(Read(Fd(next_), offsets_[0]), 0u);
}

TEST_F(ClearMemoryTest, ADeviceThatWasUnboundMeanwhileIsClearedWhenItComesBack) {
  DriveAndWrite();
  last_.channel->grants.clear();
  world_.kernel->Unbind(CoreWorld::kExporter);
  world_.RunSignals();
  world_.scheduler.Advance(absl::Seconds(3));
  world_.kernel->Step();
  ASSERT_TRUE(world_.kernel->Return(CoreWorld::kExporter));
  world_.broker->Rescan();
  world_.scheduler.RunReady();
  ASSERT_EQ(State(), DeviceState::kReady);
  world_.Drive(next_, CoreWorld::kExporter);
  EXPECT_EQ(Read(Fd(next_), offsets_[0]), 0u);
}

}  // namespace
}  // namespace p2pd
