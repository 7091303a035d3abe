// Where the bus is that p2pd is on.
#ifndef P2PD_DAEMON_BUS_BUS_ADDRESS_H_
#define P2PD_DAEMON_BUS_BUS_ADDRESS_H_

#include <stdlib.h>

#include <string>

namespace p2pd {

// `wanted`, unless it is empty: the system bus, wherever the environment says that is.
inline std::string BusAddress(const std::string& wanted) {
  if (!wanted.empty()) return wanted;
  const char* const environment = secure_getenv("DBUS_SYSTEM_BUS_ADDRESS");
  return environment == nullptr ? "unix:path=/run/dbus/system_bus_socket" : environment;
}

}  // namespace p2pd

#endif  // P2PD_DAEMON_BUS_BUS_ADDRESS_H_
