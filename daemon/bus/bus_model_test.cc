#include "daemon/bus/bus_model.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class BusModelTest : public testing::Test {
 protected:
  void Apply(EventType type, const decltype(Event::object)& object) { model_.Apply({.type = type, .object = object}); }

  BusModel model_{ManagerView{}};
};

TEST_F(BusModelTest, AnObjectIsAddedOnceAndRemovedOnce) {
  Apply(EventType::kSnapshot, DeviceView{});
  Apply(EventType::kCreated, SessionView{.id = SessionId(7)});
  BusChanges changes = model_.TakeChanges();
  ASSERT_THAT(changes.added, SizeIs(2));
  EXPECT_EQ(changes.added[1].path, "/org/p2pd/Broker1/sessions/7");
  EXPECT_STREQ(changes.added[1].interface, kSessionInterface);
  EXPECT_THAT(model_.TakeChanges().added, IsEmpty());
  Apply(EventType::kDeleted, SessionView{.id = SessionId(7)});
  changes = model_.TakeChanges();
  ASSERT_THAT(changes.removed, SizeIs(1));
  EXPECT_EQ(changes.removed[0].path, "/org/p2pd/Broker1/sessions/7");
  EXPECT_THAT(model_.TakeChanges().removed, IsEmpty());
}

TEST_F(BusModelTest, ManyChangesAreOne) {
  DeviceView device;
  Apply(EventType::kSnapshot, device);
  model_.TakeChanges();
  for (const DeviceState state : {DeviceState::kQuiescing, DeviceState::kResetting, DeviceState::kReady}) {
    device.state = state;
    ++device.generation;
    Apply(EventType::kChanged, device);
  }
  const BusChanges changes = model_.TakeChanges();
  ASSERT_THAT(changes.changed, SizeIs(1));
  EXPECT_THAT(changes.changed[0].properties, ElementsAre("Generation"));  // the state is what it was
  EXPECT_THAT(model_.TakeChanges().changed, IsEmpty());
}

TEST_F(BusModelTest, WhatCameAndWentBetweenTwoLooksIsNotTold) {
  Apply(EventType::kCreated, SessionView{.id = SessionId(8)});
  Apply(EventType::kDeleted, SessionView{.id = SessionId(8)});
  const BusChanges changes = model_.TakeChanges();
  EXPECT_THAT(changes.added, IsEmpty());
  EXPECT_THAT(changes.removed, IsEmpty());
}

TEST_F(BusModelTest, TheManagersCountsChange) {
  model_.SetManager({.status = {.mappings = 3}});
  const BusChanges changes = model_.TakeChanges();
  ASSERT_THAT(changes.changed, SizeIs(1));
  EXPECT_EQ(changes.changed[0].path, kBusPath);
  EXPECT_THAT(changes.changed[0].properties, ElementsAre("Mappings"));
}

TEST_F(BusModelTest, FindsObjectsByTheirPathsOnly) {
  Apply(EventType::kCreated, SessionView{.id = SessionId(7)});
  EXPECT_NE(model_.FindSession("/org/p2pd/Broker1/sessions/7"), nullptr);
  EXPECT_EQ(model_.FindSession("/org/p2pd/Broker1/sessions/07"), nullptr);
  EXPECT_EQ(model_.FindDevice("/org/p2pd/Broker1/sessions/7"), nullptr);
  EXPECT_THAT(model_.Paths(), ElementsAre("/org/p2pd/Broker1/sessions/7"));
}

}  // namespace
}  // namespace p2pd
