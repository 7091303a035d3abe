// polkit's word on a D-Bus call. It can only refuse: p2pd's own policy judges whatever polkit lets pass. As shipped
// (deploy/org.p2pd.Broker1.policy) it lets everything pass; an administrator's rule in /etc/polkit-1/rules.d may
// refuse, or ask for a password first.
//
// A machine without polkit asks nobody. A polkit that is there and gives no clear answer refuses.
#ifndef P2PD_DAEMON_BUS_POLKIT_H_
#define P2PD_DAEMON_BUS_POLKIT_H_

#include <systemd/sd-bus.h>

#include <string>

#include "absl/status/status.h"

namespace p2pd {

// Asks whether whoever sent `call` may do `action` ("org.p2pd.Broker1.reset-device"); the question ends with `slot`.
// A negative errno is sd-bus'.
int AskPolkit(sd_bus_message* call, const std::string& action, sd_bus_message_handler_t on_answer, void* data,
              sd_bus_slot** slot);

// Ok: polkit lets it pass, or there is no polkit. Errors: PermissionDenied, with what polkit says.
absl::Status ReadPolkitAnswer(sd_bus_message* answer, const std::string& action);

}  // namespace p2pd

#endif  // P2PD_DAEMON_BUS_POLKIT_H_
