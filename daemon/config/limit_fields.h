// The limits by their names in the configuration.
#ifndef P2PD_DAEMON_CONFIG_LIMIT_FIELDS_H_
#define P2PD_DAEMON_CONFIG_LIMIT_FIELDS_H_

#include <cstdint>

#include "daemon/config/settings.h"

namespace p2pd {

struct LimitField {
  const char* name;  // in p2pd.v1.Config.Limits
  LimitSetting LimitSettings::*setting;
  uint64_t least;  // what makes sense, of both; where it is 0, that forbids the thing
  uint64_t most = UINT64_MAX;
};

// A connection may take a thread.
inline constexpr uint64_t kMostConnections = 65536;

inline constexpr LimitField kLimitFields[] = {
    {"connections", &LimitSettings::connections, 2, kMostConnections},
    {"sessions", &LimitSettings::sessions, 1},
    {"exports", &LimitSettings::exports, 1},
    {"address_spaces", &LimitSettings::address_spaces, 1},
    {"mappings", &LimitSettings::mappings, 1},
    {"mapped_bytes", &LimitSettings::mapped_bytes, 4096},
    {"memories", &LimitSettings::memories, 0},
    {"memory_bytes", &LimitSettings::memory_bytes, 0},
    {"unread_fds", &LimitSettings::unread_fds, 1},
    {"watchers", &LimitSettings::watchers, 0},
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_CONFIG_LIMIT_FIELDS_H_
