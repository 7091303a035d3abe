#include "daemon/core/states.h"

#include <vector>

#include "gtest/gtest.h"

namespace p2pd {
namespace {

using D = DeviceState;
using E = DeviceEvent;

DeviceState Follow(DeviceState state, const std::vector<DeviceEvent>& events) {
  for (DeviceEvent event : events) {
    const auto next = Next(state, event);
    EXPECT_TRUE(next.has_value()) << Name(state) << " on event " << static_cast<int>(event);
    if (next.has_value()) state = *next;
  }
  return state;
}

TEST(DeviceStateTest, AResetUnderADriverEndsInWaitingForIt) {
  EXPECT_EQ(Follow(D::kReady, {E::kQuiesceBegan, E::kQuiesceEnded, E::kResetEnded, E::kRestoredWithDriver}),
            D::kAwaitingDriver);
  EXPECT_EQ(Next(D::kAwaitingDriver, E::kDriverReady), D::kReady);
}

TEST(DeviceStateTest, AResetWithoutADriverEndsReady) {
  EXPECT_EQ(Follow(D::kReady, {E::kQuiesceBegan, E::kQuiesceEnded, E::kResetEnded, E::kRestoredWithout}), D::kReady);
}

TEST(DeviceStateTest, RestoredIsNotReady) {
  EXPECT_EQ(Next(D::kRestoring, E::kDriverReady), std::nullopt);
  EXPECT_EQ(Next(D::kResetting, E::kDriverReady), std::nullopt);
}

TEST(DeviceStateTest, ASecondResetCannotBeginInsideTheFirst) {
  for (D state : {D::kQuiescing, D::kResetting, D::kRestoring}) EXPECT_EQ(Next(state, E::kQuiesceBegan), std::nullopt);
}

TEST(DeviceStateTest, ATaintedDeviceGrantsNothingUntilItIsBoundAfresh) {
  EXPECT_EQ(Next(D::kTainted, E::kDriverArrived), std::nullopt);
  EXPECT_EQ(Next(D::kTainted, E::kQuiesceBegan), std::nullopt);
  EXPECT_EQ(Next(D::kTainted, E::kRestoredWithout), D::kReady);
}

TEST(DeviceStateTest, AFaultedDeviceThatWasBoundAfreshIsReady) {
  EXPECT_EQ(Next(D::kFaulted, E::kRestoredWithout), D::kReady);
  EXPECT_EQ(Next(D::kFaulted, E::kDriverArrived), std::nullopt);
}

TEST(DeviceStateTest, UnplugWinsOverEverything) {
  for (int s = 1; s <= 8; ++s) EXPECT_EQ(Next(static_cast<D>(s), E::kUnplugged), D::kGone);
  EXPECT_EQ(Next(D::kGone, E::kFailed), std::nullopt);
}

TEST(MappingStateTest, ComesBackFromAResetOrIsLost) {
  EXPECT_EQ(Next(MappingState::kActive, MappingEvent::kUnmappedForReset), MappingState::kSuspended);
  EXPECT_EQ(Next(MappingState::kSuspended, MappingEvent::kRestored), MappingState::kActive);
  EXPECT_EQ(Next(MappingState::kSuspended, MappingEvent::kRestoreFailed), MappingState::kLost);
}

TEST(MappingStateTest, RevokedIsFinal) {
  for (int e = 0; e <= 3; ++e) {
    EXPECT_EQ(Next(MappingState::kRevoked, static_cast<MappingEvent>(e)), std::nullopt);
  }
}

TEST(MappingStateTest, OnlyASuspendedMappingCanBeRestored) {
  EXPECT_EQ(Next(MappingState::kActive, MappingEvent::kRestored), std::nullopt);
  EXPECT_EQ(Next(MappingState::kLost, MappingEvent::kRestored), std::nullopt);
}

}  // namespace
}  // namespace p2pd
