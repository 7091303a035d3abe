#include "daemon/core/states.h"

namespace p2pd {

std::optional<DeviceState> Next(DeviceState state, DeviceEvent event) {
  // These two can come at any time.
  if (event == DeviceEvent::kUnplugged) return DeviceState::kGone;
  if (event == DeviceEvent::kFailed && state != DeviceState::kGone) return DeviceState::kFaulted;
  switch (state) {  // No default: the compiler finds a forgotten state.
    case DeviceState::kReady:
      if (event == DeviceEvent::kDriverArrived) return DeviceState::kAwaitingDriver;
      if (event == DeviceEvent::kQuiesceBegan) return DeviceState::kQuiescing;
      return std::nullopt;
    case DeviceState::kAwaitingDriver:
      if (event == DeviceEvent::kDriverReady) return DeviceState::kReady;
      if (event == DeviceEvent::kQuiesceBegan) return DeviceState::kQuiescing;
      return std::nullopt;
    case DeviceState::kQuiescing:
      if (event == DeviceEvent::kQuiesceEnded) return DeviceState::kResetting;
      return std::nullopt;
    case DeviceState::kResetting:
      if (event == DeviceEvent::kResetEnded) return DeviceState::kRestoring;
      return std::nullopt;
    case DeviceState::kRestoring:
      if (event == DeviceEvent::kRestoredWithDriver) return DeviceState::kAwaitingDriver;
      if (event == DeviceEvent::kRestoredWithout) return DeviceState::kReady;
      if (event == DeviceEvent::kHeldByOthers) return DeviceState::kTainted;
      return std::nullopt;
    case DeviceState::kTainted:
      if (event == DeviceEvent::kRestoredWithout) return DeviceState::kReady;
      return std::nullopt;
    case DeviceState::kFaulted:
      if (event == DeviceEvent::kRestoredWithout) return DeviceState::kReady;  // bound afresh
      return std::nullopt;
    case DeviceState::kGone:
      if (event == DeviceEvent::kReturned) return DeviceState::kReady;
      if (event == DeviceEvent::kReturnedUnusable) return DeviceState::kFaulted;
      return std::nullopt;
  }
  return std::nullopt;
}

std::optional<MappingState> Next(MappingState state, MappingEvent event) {
  switch (state) {
    case MappingState::kActive:
      if (event == MappingEvent::kUnmappedForReset) return MappingState::kSuspended;
      if (event == MappingEvent::kRestoreFailed) return MappingState::kLost;  // its UNMAP had failed, too
      if (event == MappingEvent::kRevoked) return MappingState::kRevoked;
      return std::nullopt;
    case MappingState::kSuspended:
      if (event == MappingEvent::kRestored) return MappingState::kActive;
      if (event == MappingEvent::kRestoreFailed) return MappingState::kLost;
      if (event == MappingEvent::kRevoked) return MappingState::kRevoked;
      return std::nullopt;
    case MappingState::kLost:
      if (event == MappingEvent::kRevoked) return MappingState::kRevoked;
      return std::nullopt;
    case MappingState::kRevoked:
      return std::nullopt;
  }
  return std::nullopt;
}

absl::string_view Name(DeviceState state) {
  switch (state) {
    case DeviceState::kReady:
      return "READY";
    case DeviceState::kQuiescing:
      return "QUIESCING";
    case DeviceState::kResetting:
      return "RESETTING";
    case DeviceState::kRestoring:
      return "RESTORING";
    case DeviceState::kAwaitingDriver:
      return "AWAITING_DRIVER";
    case DeviceState::kFaulted:
      return "FAULTED";
    case DeviceState::kGone:
      return "GONE";
    case DeviceState::kTainted:
      return "TAINTED";
  }
  return "?";
}

absl::string_view Name(MappingState state) {
  switch (state) {
    case MappingState::kActive:
      return "ACTIVE";
    case MappingState::kSuspended:
      return "SUSPENDED";
    case MappingState::kRevoked:
      return "REVOKED";
    case MappingState::kLost:
      return "LOST";
  }
  return "?";
}

}  // namespace p2pd
