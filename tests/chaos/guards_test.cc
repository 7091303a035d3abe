#include "tests/chaos/guards.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd::chaos {
namespace {

using p2p::v1::Event;
using p2p::v1::Mapping;
using p2p::v1::Operation;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uint64_t kPage = 4096;
constexpr char kDevice[] = "devices/0000:01:00.0";

Event ExportEvent(const std::string& name, uint64_t offset, const std::string& device = kDevice) {
  Event event;
  event.set_type(Event::CREATED);
  event.mutable_export_()->set_name(name);
  event.mutable_export_()->mutable_window()->set_device(device);
  event.mutable_export_()->mutable_window()->set_bar(2);
  event.mutable_export_()->mutable_window()->set_offset(offset);
  return event;
}

Event MappingEvent(const std::string& name, Mapping::State state, const std::string& source = "exports/1",
                   uint64_t length = kPage) {
  Event event;
  event.set_type(Event::CHANGED);
  event.mutable_mapping()->set_name(name);
  event.mutable_mapping()->set_export_(source);
  event.mutable_mapping()->set_length(length);
  event.mutable_mapping()->set_state(state);
  return event;
}

Event OperationEvent(const std::string& name, Operation::State state) {
  Event event;
  event.set_type(Event::CHANGED);
  event.mutable_operation()->set_name(name);
  event.mutable_operation()->set_state(state);
  return event;
}

class GuardsTest : public ::testing::Test {
 protected:
  GuardsTest() { guards_.Hear(ExportEvent("exports/1", kPage)); }

  // Suspends mappings/1, guards its window and changes a word of it.
  void Suspect() {
    guards_.Hear(MappingEvent("mappings/1", Mapping::ACTIVE));
    const auto dead = guards_.Hear(MappingEvent("mappings/1", Mapping::SUSPENDED));
    ASSERT_TRUE(dead.has_value());
    guards_.Set(*dead, {1, 2, 3});
    EXPECT_EQ(Look({1, 2, 4}), 1);
  }

  size_t Look(const std::vector<uint64_t>& words) {
    return guards_.Look([&](const Range&, absl::Span<uint64_t> seen) {
      std::copy(words.begin(), words.end(), seen.begin());
      return true;
    });
  }

  Guards guards_{kDevice, 2};
};

TEST_F(GuardsTest, ASuspendedMappingsWindowIsTold) {
  EXPECT_EQ(guards_.Hear(MappingEvent("mappings/1", Mapping::ACTIVE)), std::nullopt);
  const auto dead = guards_.Hear(MappingEvent("mappings/1", Mapping::SUSPENDED));
  ASSERT_TRUE(dead.has_value());
  EXPECT_EQ(dead->range.offset, kPage);
  EXPECT_EQ(dead->range.length, kPage);
  EXPECT_TRUE(dead->suspended);
}

TEST_F(GuardsTest, ADeletedMappingsWindowIsToldAsGone) {
  guards_.Hear(MappingEvent("mappings/1", Mapping::ACTIVE));
  Event event = MappingEvent("mappings/1", Mapping::ACTIVE);
  event.set_type(Event::DELETED);
  const auto dead = guards_.Hear(event);
  ASSERT_TRUE(dead.has_value());
  EXPECT_FALSE(dead->suspended);
}

TEST_F(GuardsTest, AWindowThatAnotherMappingReachesIsNotTold) {
  guards_.Hear(MappingEvent("mappings/1", Mapping::ACTIVE));
  guards_.Hear(MappingEvent("mappings/2", Mapping::ACTIVE));
  EXPECT_EQ(guards_.Hear(MappingEvent("mappings/1", Mapping::REVOKED)), std::nullopt);
  EXPECT_NE(guards_.Hear(MappingEvent("mappings/2", Mapping::REVOKED)), std::nullopt);
}

TEST_F(GuardsTest, OtherDevicesAreOfNoInterest) {
  guards_.Hear(ExportEvent("exports/2", 0, "devices/0000:00:11.0"));
  guards_.Hear(MappingEvent("mappings/1", Mapping::ACTIVE, "exports/2"));
  EXPECT_EQ(guards_.Hear(MappingEvent("mappings/1", Mapping::REVOKED, "exports/2")), std::nullopt);
}

TEST_F(GuardsTest, WhatStaysIsNotSuspected) {
  Suspect();
  guards_.Set({.range = {.offset = 8 * kPage, .length = 24}}, {1, 2, 4});
  EXPECT_EQ(Look({1, 2, 4}), 0);
}

TEST_F(GuardsTest, ADeviceThatDoesNotAnswerIsNotSuspected) {
  guards_.Set({.range = {.offset = 0, .length = 8}}, {1});
  EXPECT_EQ(guards_.Look([](const Range&, absl::Span<uint64_t>) { return false; }), 0);
}

TEST_F(GuardsTest, AChangedByteIsGuiltyOnceAllIsHeard) {
  Suspect();
  EXPECT_THAT(guards_.Verdicts(), IsEmpty());
  guards_.HearMarker();
  EXPECT_THAT(guards_.Verdicts(), ElementsAre(HasSubstr("changed from 0x3 to 0x4 after mappings/1 was SUSPENDED")));
  EXPECT_EQ(guards_.size(), 0);
}

TEST_F(GuardsTest, AMappingThatCameBackBeforeTheMarkerExcusesIt) {
  Suspect();
  guards_.Hear(MappingEvent("mappings/1", Mapping::ACTIVE));
  guards_.HearMarker();
  EXPECT_THAT(guards_.Verdicts(), IsEmpty());
}

TEST_F(GuardsTest, TheVerdictWaitsForTheOperationsThatRan) {
  guards_.Hear(OperationEvent("operations/1", Operation::RUNNING));
  Suspect();
  guards_.HearMarker();
  guards_.Hear(OperationEvent("operations/2", Operation::RUNNING));
  EXPECT_THAT(guards_.Verdicts(), IsEmpty());
  guards_.Hear(OperationEvent("operations/1", Operation::SUCCEEDED));
  EXPECT_EQ(guards_.Verdicts().size(), 1);
}

TEST_F(GuardsTest, AMappingThatAnOperationPutBackExcusesIt) {
  guards_.Hear(OperationEvent("operations/1", Operation::RUNNING));
  Suspect();
  guards_.HearMarker();
  guards_.Hear(MappingEvent("mappings/1", Mapping::ACTIVE));
  guards_.Hear(OperationEvent("operations/1", Operation::SUCCEEDED));
  EXPECT_THAT(guards_.Verdicts(), IsEmpty());
}

}  // namespace
}  // namespace p2pd::chaos
