// What p2pd runs with: what the configuration says, then what the flags say, complete with core's and the
// front's limits.
#ifndef P2PD_DAEMON_EFFECTIVE_SETTINGS_H_
#define P2PD_DAEMON_EFFECTIVE_SETTINGS_H_

#include "absl/status/statusor.h"
#include "daemon/config/settings.h"
#include "daemon/core/quota.h"
#include "daemon/flags.h"
#include "daemon/front/connection_table.h"
#include "daemon/front/unread_fds.h"

namespace p2pd {

// A simulated machine is not the one that the default configuration file is about: that is not read for it.
// Errors: those of LoadConfig and CompleteSettings.
absl::StatusOr<Settings> EffectiveSettings(const Flags& flags);

// The limits as core and the front take them. The settings are complete.
QuotaLimits QuotaLimitsOf(const Settings& settings);
ConnectionLimits ConnectionLimitsOf(const Settings& settings);
UnreadFdLimits UnreadFdLimitsOf(const Settings& settings);

}  // namespace p2pd

#endif  // P2PD_DAEMON_EFFECTIVE_SETTINGS_H_
