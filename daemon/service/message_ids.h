// What p2pd tells the journal about, as the MESSAGE_IDs by which "journalctl MESSAGE_ID=..." finds it and
// deploy/p2pd.catalog explains it. An id keeps its meaning for ever.
#ifndef P2PD_DAEMON_SERVICE_MESSAGE_IDS_H_
#define P2PD_DAEMON_SERVICE_MESSAGE_IDS_H_

#include "absl/strings/string_view.h"

namespace p2pd {

// A client connected.
inline constexpr absl::string_view kSessionBegan = "db1f2e27f20044bcb470a3d1d0a4813d";
// Its connection hung up, its process ended, or p2pd ended it.
inline constexpr absl::string_view kSessionEnded = "41513e2d0cb94e18867ebdc6ce1b1e58";
// A device was reset; its mappings are back, or not.
inline constexpr absl::string_view kDeviceReset = "ef0e4a7b1ed8457c90567ba0ea73082f";
// The reset failed; what was mapped has been unmapped and put back all the same.
inline constexpr absl::string_view kDeviceResetFailed = "3c9dca45b73c490e9316142589084a1e";
// Somebody still holds an fd of a device that p2pd took back.
inline constexpr absl::string_view kDeviceTainted = "0fff43bc981d4b0db1e1ef561c0fd53f";
// A device could not be bound or brought back.
inline constexpr absl::string_view kDeviceFaulted = "8a924f02d4054e368774b8423aeb6f16";
// A device was unplugged or taken from vfio-pci.
inline constexpr absl::string_view kDeviceGone = "6c18fbbf1a9d44e785183c46355d15a6";
// A device that was TAINTED, FAULTED or GONE is of use again.
inline constexpr absl::string_view kDeviceRecovered = "3faf403e570244eca117a69f8baa353b";
// A reset or revocation runs for longer than a minute: a kernel call may hang.
inline constexpr absl::string_view kOperationSlow = "5bfe9b0f0a194677b14966c5cba77f41";
// Policy refused a request.
inline constexpr absl::string_view kPolicyDenied = "7cdb85fc603d4ca19dd1183952475754";
// polkit refused a call over D-Bus.
inline constexpr absl::string_view kPolkitDenied = "8d10b6644a3f4be5a441b80412ac7621";
// Policy allowed something to be granted.
inline constexpr absl::string_view kGranted = "da5a88de380446c7bee2a338208cc6c8";
// What was granted ended: given back, revoked, or over.
inline constexpr absl::string_view kGrantEnded = "9841a1b198664ffca2a3416523500522";
// The policy was read again and is in force; what it does not allow was revoked.
inline constexpr absl::string_view kPolicyReloaded = "c9f360fdf3db4a25af87992928cecd4a";
// The policy could not be read again: the one before is in force still.
inline constexpr absl::string_view kPolicyUnreadable = "2ab42a5ffb854b0f94011d00fe77afd2";
// Somebody asked p2pd, over D-Bus, to act on what is not theirs.
inline constexpr absl::string_view kAdminCall = "9dcbf395f4894845a2825249473d3497";
// A mapping could not be put back after a reset.
inline constexpr absl::string_view kMappingLost = "50099a7186d24824a72614ca37188028";
// p2pd serves.
inline constexpr absl::string_view kServiceReady = "7cd60359a4e84a63a90c78ca3920ce7d";
// p2pd ends its sessions and stops.
inline constexpr absl::string_view kServiceStopping = "b0e8e04a87ec42c5a3ef336df8472b96";

}  // namespace p2pd

#endif  // P2PD_DAEMON_SERVICE_MESSAGE_IDS_H_
