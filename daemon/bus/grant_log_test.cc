#include "daemon/bus/grant_log.h"

#include "daemon/service/message_ids.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;

Event Of(const decltype(Event::object)& object, EventType type) { return {.type = type, .object = object}; }

std::string FieldOf(const LogEntry& entry, absl::string_view name) {
  for (const LogField& field : entry.fields) {
    if (field.name == name) return field.value;
  }
  return "";
}

class GrantLogTest : public ::testing::Test {
 protected:
  GrantLogTest() {
    const SessionView session = {.id = SessionId(7), .peer = {.subject = {.uid = 1000}, .pid = 42, .comm = "copy"}};
    EXPECT_FALSE(log_.EntryFor(Of(session, EventType::kCreated)).has_value());
  }
  GrantLog log_;
  MappingView mapping_ = {.id = MappingId(9),
                          .session = SessionId(7),
                          .address_space = AddressSpaceId(3),
                          .source = ExportId(5),
                          .rule = "net maps",
                          .rule_origin = "a:12"};
};

TEST_F(GrantLogTest, AGrantNamesWhoWhatAndTheRule) {
  const auto entry = log_.EntryFor(Of(mapping_, EventType::kCreated));
  ASSERT_TRUE(entry.has_value());
  EXPECT_EQ(entry->id, kGranted);
  EXPECT_EQ(entry->message,
            "sessions/7 (uid 1000, pid 42, copy) has mappings/9, exports/5 in address-spaces/3: "
            "rule \"net maps\" (a:12)");
  EXPECT_EQ(FieldOf(*entry, "P2PD_ACTION"), "MAP");
  EXPECT_EQ(FieldOf(*entry, "P2PD_RULE_ORIGIN"), "a:12");
}

TEST_F(GrantLogTest, ItsEndNamesTheReasonAndTheOperation) {
  mapping_.state_reason = "the policy was reloaded";
  mapping_.operation = OperationId(11);
  const auto entry = log_.EntryFor(Of(mapping_, EventType::kDeleted));
  ASSERT_TRUE(entry.has_value());
  EXPECT_EQ(entry->id, kGrantEnded);
  EXPECT_THAT(entry->message, HasSubstr("has no more mappings/9"));
  EXPECT_THAT(entry->message, HasSubstr("the policy was reloaded"));
  EXPECT_EQ(FieldOf(*entry, "P2PD_OPERATION"), "operations/11");
}

TEST_F(GrantLogTest, WhatAPredecessorGrantedIsNotGrantedAnewButEnds) {
  DeviceView device = {.address = {.bus = 1}, .driver = SessionId(7)};
  EXPECT_FALSE(log_.EntryFor(Of(device, EventType::kSnapshot)).has_value());
  device.driver_rule = "drivers";
  EXPECT_FALSE(log_.EntryFor(Of(device, EventType::kChanged)).has_value());
  device.driver.reset();
  const auto entry = log_.EntryFor(Of(device, EventType::kChanged));
  ASSERT_TRUE(entry.has_value());
  EXPECT_EQ(entry->id, kGrantEnded);
  EXPECT_EQ(FieldOf(*entry, "P2PD_RULE"), "drivers");
}

TEST_F(GrantLogTest, AChangeIsNoGrant) { EXPECT_FALSE(log_.EntryFor(Of(mapping_, EventType::kChanged)).has_value()); }

TEST_F(GrantLogTest, ARawExportConveysItsDescriptorToo) {
  const ExportView window = {.id = ExportId(5), .session = SessionId(7), .grade = Grade::kRaw, .generation = 4};
  const auto entry = log_.EntryFor(Of(window, EventType::kCreated));
  EXPECT_EQ(FieldOf(*entry, "P2PD_ACTION"), "EXPORT RECEIVE_FD");
  EXPECT_EQ(FieldOf(*entry, "P2PD_GENERATION"), "4");
}

TEST_F(GrantLogTest, ADriverComesAndGoesOnce) {
  DeviceView device = {.driver = SessionId(7), .driver_rule = "drives", .driver_rule_origin = "a:1"};
  const auto begun = log_.EntryFor(Of(device, EventType::kChanged));
  ASSERT_TRUE(begun.has_value());
  EXPECT_EQ(begun->id, kGranted);
  EXPECT_EQ(FieldOf(*begun, "P2PD_ACTION"), "DRIVE");
  EXPECT_FALSE(log_.EntryFor(Of(device, EventType::kChanged)).has_value());
  const auto ended = log_.EntryFor(Of(DeviceView(), EventType::kChanged));
  ASSERT_TRUE(ended.has_value());
  EXPECT_EQ(ended->id, kGrantEnded);
  EXPECT_EQ(FieldOf(*ended, "P2PD_UID"), "1000");
  EXPECT_EQ(FieldOf(*ended, "P2PD_RULE"), "drives");
}

}  // namespace
}  // namespace p2pd
