#include "daemon/bus/event_log.h"

#include "daemon/service/message_ids.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace p2pd {
namespace {

using ::testing::HasSubstr;

Event Of(const decltype(Event::object)& object, EventType type = EventType::kChanged) {
  return {.type = type, .object = object};
}

std::string FieldOf(const LogEntry& entry, absl::string_view name) {
  for (const LogField& field : entry.fields) {
    if (field.name == name) return field.value;
  }
  return "";
}

TEST(EventLogTest, ADeviceInTroubleIsAWarningOnceAndItsRecoveryANotice) {
  EventLog log;
  DeviceView device = {.state = DeviceState::kTainted, .state_reason = "somebody holds it"};
  const auto tainted = log.EntryFor(Of(device));
  ASSERT_TRUE(tainted.has_value());
  EXPECT_EQ(tainted->level, LogLevel::kWarning);
  EXPECT_EQ(tainted->id, kDeviceTainted);
  EXPECT_EQ(tainted->message, "devices/0000:00:00.0 is TAINTED: somebody holds it");
  EXPECT_EQ(FieldOf(*tainted, "P2PD_DEVICE"), "devices/0000:00:00.0");
  EXPECT_FALSE(log.EntryFor(Of(device)).has_value());
  device = {.state = DeviceState::kReady};
  const auto ready = log.EntryFor(Of(device));
  ASSERT_TRUE(ready.has_value());
  EXPECT_EQ(ready->id, kDeviceRecovered);
  EXPECT_EQ(ready->level, LogLevel::kNotice);
}

TEST(EventLogTest, ADeviceThatCannotBeBoundIsToldFromTheStart) {
  const auto entry = EventLog().EntryFor(Of(DeviceView{.state = DeviceState::kFaulted}, EventType::kSnapshot));
  ASSERT_TRUE(entry.has_value());
  EXPECT_EQ(entry->id, kDeviceFaulted);
}

TEST(EventLogTest, TheStepsOfAResetAreForDebugging) {
  EventLog log;
  const auto entry = log.EntryFor(Of(DeviceView{.state = DeviceState::kQuiescing}));
  ASSERT_TRUE(entry.has_value());
  EXPECT_EQ(entry->level, LogLevel::kDebug);
  EXPECT_EQ(entry->id, "");
}

TEST(EventLogTest, AResetIsToldWhenItIsOver) {
  EventLog log;
  OperationView reset = {.id = OperationId(5), .kind = OperationKind::kReset, .device = PciAddress{.bus = 1}};
  EXPECT_FALSE(log.EntryFor(Of(reset)).has_value());
  reset.state = OperationState::kSucceeded;
  reset.mapping_count = 3;
  reset.took = absl::Milliseconds(12);
  auto entry = log.EntryFor(Of(reset));
  ASSERT_TRUE(entry.has_value());
  EXPECT_EQ(entry->id, kDeviceReset);
  EXPECT_EQ(entry->message, "devices/0000:01:00.0 was reset; 3 mappings, 12ms");
  reset.state = OperationState::kFailed;
  reset.error = "EIO";
  entry = log.EntryFor(Of(reset));
  ASSERT_TRUE(entry.has_value());
  EXPECT_EQ(entry->id, kDeviceResetFailed);
  EXPECT_EQ(entry->level, LogLevel::kWarning);
  EXPECT_FALSE(log.EntryFor(Of(reset, EventType::kSnapshot)).has_value());
}

TEST(EventLogTest, AReleaseIsNobodysNews) {
  const OperationView release = {.kind = OperationKind::kRelease, .state = OperationState::kSucceeded};
  EXPECT_FALSE(EventLog().EntryFor(Of(release)).has_value());
}

TEST(EventLogTest, ALostMappingSaysWhoseItWas) {
  const MappingView lost = {
      .id = MappingId(9), .session = SessionId(2), .state = MappingState::kLost, .state_reason = "no IOVA"};
  const auto entry = EventLog().EntryFor(Of(lost));
  ASSERT_TRUE(entry.has_value());
  EXPECT_EQ(entry->message, "mappings/9 of sessions/2 is lost: no IOVA");
  EXPECT_EQ(entry->id, kMappingLost);
}

}  // namespace
}  // namespace p2pd
