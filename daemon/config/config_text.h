// Settings as the configuration file that would give them: what `p2pd --check-config` shows.
#ifndef P2PD_DAEMON_CONFIG_CONFIG_TEXT_H_
#define P2PD_DAEMON_CONFIG_CONFIG_TEXT_H_

#include <string>

#include "daemon/config/settings.h"

namespace p2pd {

// Protobuf text of p2pd.v1.Config, every field that has a value set.
std::string ConfigText(const Settings& settings);

}  // namespace p2pd

#endif  // P2PD_DAEMON_CONFIG_CONFIG_TEXT_H_
