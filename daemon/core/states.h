// The lives of a device and of a mapping, as pure transition functions: no clock, no I/O, no locks.
#ifndef P2PD_DAEMON_CORE_STATES_H_
#define P2PD_DAEMON_CORE_STATES_H_

#include <optional>

#include "absl/strings/string_view.h"

namespace p2pd {

// The values are those of p2pd.v1.Device.State.
enum class DeviceState {
  kReady = 1,
  kQuiescing = 2,       // users of its windows are asked to stop
  kResetting = 3,       // mappings are being removed, then the function is reset
  kRestoring = 4,       // mappings are put back, or the device is bound afresh
  kAwaitingDriver = 5,  // restored is not ready: until its driver says so
  kFaulted = 6,
  kGone = 7,
  kTainted = 8,  // somebody still holds an fd of it
};

enum class DeviceEvent {
  kDriverArrived,
  kDriverReady,
  kQuiesceBegan,
  kQuiesceEnded,
  kResetEnded,          // whatever came of it: a failed reset has revoked too
  kRestoredWithDriver,  // mappings are back, the driver must set the device up
  kRestoredWithout,     // nobody drives it
  kHeldByOthers,        // the fresh bind failed: an fd of it is still out
  kFailed,
  kUnplugged,
  kReturned,          // found again, and bound
  kReturnedUnusable,  // found again, but it cannot be bound
};

// The values are those of p2pd.v1.Mapping.State.
enum class MappingState { kActive = 1, kSuspended = 2, kRevoked = 3, kLost = 4 };

enum class MappingEvent {
  kUnmappedForReset,
  kRestored,
  kRestoreFailed,
  kRevoked,
};

// The state after `event`, or nothing where the event cannot happen in this state.
std::optional<DeviceState> Next(DeviceState state, DeviceEvent event);
std::optional<MappingState> Next(MappingState state, MappingEvent event);

absl::string_view Name(DeviceState state);
absl::string_view Name(MappingState state);

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_STATES_H_
