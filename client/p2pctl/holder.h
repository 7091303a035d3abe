// The process behind `p2pctl acquire`: the session lives as long as it does. `p2pctl release` knows it by the name
// that it gives itself.
#ifndef P2PD_CLIENT_P2PCTL_HOLDER_H_
#define P2PD_CLIENT_P2PCTL_HOLDER_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/p2pctl/background.h"
#include "client/p2pctl/context.h"

namespace p2p::ctl {

inline constexpr char kHolderClient[] = "p2pctl acquire";

struct Holding {
  WindowOptions window;
  std::vector<std::string> importers;  // devices for which it is mapped
};

// In the holder: takes the grants, prints the session's name (or AcquireResponse as JSON), detaches, and holds on
// until SIGTERM, or until what it holds is revoked: with the session, with the device, or when its time to live is
// over, which begins anew on SIGUSR1. It does no DMA, so it acknowledges every quiesce at once.
absl::Status Hold(Context& context, const Holding& holding, Background& background);

// Ends the holder of the session `name`, if it is one and this user's, and waits until it has ended, and with it
// its grants. Returns the session as it was.
absl::StatusOr<v1::Session> EndHolder(Session& session, const std::string& name, absl::Duration timeout);

// Has the holder of the session `name`, if it is one and this user's, begin its window's time to live anew, and waits
// until p2pd has. Returns the export. Errors: NotFound, it is over; FailedPrecondition, it has none.
absl::StatusOr<v1::Export> RenewHolder(Session& session, const std::string& name, absl::Duration timeout);

}  // namespace p2p::ctl

#endif  // P2PD_CLIENT_P2PCTL_HOLDER_H_
