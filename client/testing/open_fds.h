// Counts this process's descriptors, to show that none leaks.
#ifndef P2PD_CLIENT_TESTING_OPEN_FDS_H_
#define P2PD_CLIENT_TESTING_OPEN_FDS_H_

#include "absl/strings/string_view.h"

namespace p2p::testing {

// Those whose link in /proc/self/fd contains `what`; "" counts all.
int CountOpenFds(absl::string_view what = "");

}  // namespace p2p::testing

#endif  // P2PD_CLIENT_TESTING_OPEN_FDS_H_
