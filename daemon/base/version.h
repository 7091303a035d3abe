// The version of this tree, said once. The manual pages and the changelog repeat it; a test holds them to it
// (deploy/man/version_test.cc).
#ifndef P2PD_DAEMON_BASE_VERSION_H_
#define P2PD_DAEMON_BASE_VERSION_H_

namespace p2pd {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace p2pd

#endif  // P2PD_DAEMON_BASE_VERSION_H_
