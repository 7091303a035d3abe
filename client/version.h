// The version of this tree.
#ifndef P2PD_CLIENT_VERSION_H_
#define P2PD_CLIENT_VERSION_H_

namespace p2p {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace p2p

#endif  // P2PD_CLIENT_VERSION_H_
