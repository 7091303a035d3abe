// The objects under /org/p2pd/Broker1, as sd-bus wants them: an object manager and the Manager at the top, a Device
// for each device and a Session for each session below. What they show is the model's; what they do is in BusCalls.
#ifndef P2PD_DAEMON_BUS_BUS_OBJECTS_H_
#define P2PD_DAEMON_BUS_BUS_OBJECTS_H_

#include <systemd/sd-bus.h>

#include "absl/status/status.h"
#include "daemon/bus/bus_calls.h"
#include "daemon/bus/bus_model.h"

namespace p2pd {

struct BusObjects {
  const BusModel& model;
  BusCalls& calls;
};

// `objects` outlives the bus. Errors: sd-bus' own.
absl::Status AddObjects(sd_bus* bus, BusObjects& objects);

// Sends the signals: InterfacesAdded, InterfacesRemoved, PropertiesChanged.
absl::Status Emit(sd_bus* bus, const BusChanges& changes);

}  // namespace p2pd

#endif  // P2PD_DAEMON_BUS_BUS_OBJECTS_H_
