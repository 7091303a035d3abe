// A path's verdict for people: why it is as it is, and what would make it better.
#ifndef P2PD_DAEMON_DEVICE_PATH_WORDS_H_
#define P2PD_DAEMON_DEVICE_PATH_WORDS_H_

#include "daemon/device/topology.h"

namespace p2pd {

struct PathVerdict;

// Fills in `reason` and `remedy` from the rest.
void PutInWords(const Topology& topology, PathVerdict& verdict);

}  // namespace p2pd

#endif  // P2PD_DAEMON_DEVICE_PATH_WORDS_H_
