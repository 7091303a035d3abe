// What p2pd tells the service manager. Without one (a terminal, a test) these do nothing.
#ifndef P2PD_DAEMON_SERVICE_NOTIFY_H_
#define P2PD_DAEMON_SERVICE_NOTIFY_H_

#include "absl/strings/string_view.h"

namespace p2pd {

// Answers requests from now on; `status` is the line that "systemctl status" shows.
void NotifyReady(absl::string_view status);
void NotifyStatus(absl::string_view status);
// Reads its policy again, until NotifyReady.
void NotifyReloading();
// Ends its sessions and will exit.
void NotifyStopping(absl::string_view status);

}  // namespace p2pd

#endif  // P2PD_DAEMON_SERVICE_NOTIFY_H_
