#include "daemon/bus/event_log.h"

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "daemon/front/resource_name.h"
#include "daemon/service/message_ids.h"

namespace p2pd {
namespace {

// A state in which nothing is granted, and its MESSAGE_ID; "" for the others.
absl::string_view TroubleOf(DeviceState state) {
  switch (state) {
    case DeviceState::kFaulted:
      return kDeviceFaulted;
    case DeviceState::kGone:
      return kDeviceGone;
    case DeviceState::kTainted:
      return kDeviceTainted;
    case DeviceState::kReady:
    case DeviceState::kQuiescing:
    case DeviceState::kResetting:
    case DeviceState::kRestoring:
    case DeviceState::kAwaitingDriver:
      return "";
  }
  return "";
}

std::optional<LogEntry> OfOperation(const OperationView& operation) {
  if (operation.kind != OperationKind::kReset || operation.state == OperationState::kRunning) return std::nullopt;
  const std::string device = operation.device.has_value() ? NameOf(*operation.device) : "";
  const bool failed = operation.state == OperationState::kFailed;
  return LogEntry{.level = failed ? LogLevel::kWarning : LogLevel::kNotice,
                  .message = absl::StrCat(device, failed ? " could not be reset: " : " was reset", operation.error,
                                          "; ", operation.mapping_count, " mappings, ",
                                          absl::FormatDuration(absl::Trunc(operation.took, absl::Microseconds(1)))),
                  .id = failed ? kDeviceResetFailed : kDeviceReset,
                  .fields = {{"P2PD_DEVICE", device},
                             {"P2PD_OPERATION", NameOf(operation.id)},
                             {"P2PD_GENERATION", absl::StrCat(operation.generation)}}};
}

std::optional<LogEntry> OfMapping(const MappingView& mapping) {
  if (mapping.state != MappingState::kLost) return std::nullopt;
  return LogEntry{
      .level = LogLevel::kWarning,
      .message = absl::StrCat(NameOf(mapping.id), " of ", NameOf(mapping.session), " is lost: ", mapping.state_reason),
      .id = kMappingLost,
      .fields = {{"P2PD_MAPPING", NameOf(mapping.id)}, {"P2PD_SESSION", NameOf(mapping.session)}}};
}

}  // namespace

std::optional<LogEntry> EventLog::EntryFor(const Event& event) {
  if (const auto* device = std::get_if<DeviceView>(&event.object)) return OfDevice(*device);
  // What was there before p2pd looked has been logged.
  if (event.type == EventType::kSnapshot) return std::nullopt;
  if (const auto* operation = std::get_if<OperationView>(&event.object)) return OfOperation(*operation);
  if (const auto* mapping = std::get_if<MappingView>(&event.object)) return OfMapping(*mapping);
  return std::nullopt;
}

std::optional<LogEntry> EventLog::OfDevice(const DeviceView& device) {
  const auto [entry, is_new] = states_.try_emplace(device.address, DeviceState::kReady);
  const DeviceState before = std::exchange(entry->second, device.state);
  if (before == device.state) return std::nullopt;
  const std::string name = NameOf(device.address);
  LogEntry log = {.level = LogLevel::kDebug,
                  .message = absl::StrCat(name, " is ", std::string(Name(device.state))),
                  .fields = {{"P2PD_DEVICE", name},
                             {"P2PD_STATE", std::string(Name(device.state))},
                             {"P2PD_GENERATION", absl::StrCat(device.generation)}}};
  if (!device.state_reason.empty()) absl::StrAppend(&log.message, ": ", device.state_reason);
  if (!TroubleOf(device.state).empty()) {
    log.level = LogLevel::kWarning;
    log.id = TroubleOf(device.state);
  } else if (!TroubleOf(before).empty()) {
    log.level = LogLevel::kNotice;
    log.id = kDeviceRecovered;
  }
  return log;
}

LogEntry EntryFor(const absl::StatusOr<ReloadView>& reload) {
  if (!reload.ok()) {
    return {.level = LogLevel::kError,
            .message = absl::StrCat("the policy stays as it was: ", std::string(reload.status().message())),
            .id = kPolicyUnreadable};
  }
  const std::string operation = reload->operation.has_value() ? NameOf(*reload->operation) : "";
  return {
      .level = LogLevel::kNotice,
      .message = absl::StrCat("the policy was reloaded: ", reload->rules, " rules, generation ", reload->generation,
                              "; ", reload->fallen_count, " grants revoked", operation.empty() ? "" : ", ", operation),
      .id = kPolicyReloaded,
      .fields = {{"P2PD_POLICY_GENERATION", absl::StrCat(reload->generation)}, {"P2PD_OPERATION", operation}}};
}

}  // namespace p2pd
