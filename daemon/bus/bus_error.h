// The errors of p2pd as D-Bus names them: the standard names where there is one, else org.p2pd.Broker1.Error.NotFound
// and so on, after the status code.
#ifndef P2PD_DAEMON_BUS_BUS_ERROR_H_
#define P2PD_DAEMON_BUS_BUS_ERROR_H_

#include <string>

#include "absl/status/status.h"

namespace p2pd {

std::string BusErrorName(absl::StatusCode code);

}  // namespace p2pd

#endif  // P2PD_DAEMON_BUS_BUS_ERROR_H_
