// A driver's offer: which part of its device who may have. It grants nothing by itself; rules may ask for it. Pure.
#ifndef P2PD_DAEMON_CORE_OFFER_H_
#define P2PD_DAEMON_CORE_OFFER_H_

#include <optional>

#include "daemon/core/types.h"

namespace p2pd {

// Whether a window lies within the offer, and who asks is among those it is made to. `session` is that of who asks;
// `access` is what its importer is to get, if it asks for that already.
bool Covers(const OfferView& offer, const Subject& subject, std::optional<SessionId> session, const Window& window,
            std::optional<Access> access);

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_OFFER_H_
