// Where p2pd's policy is unless somebody says otherwise: the daemon's configuration and p2pctl go by it.
#ifndef P2PD_DAEMON_BASE_DEFAULT_POLICY_H_
#define P2PD_DAEMON_BASE_DEFAULT_POLICY_H_

namespace p2pd {

inline constexpr char kDefaultPolicy[] = "/etc/p2pd/policy.d";

}  // namespace p2pd

#endif  // P2PD_DAEMON_BASE_DEFAULT_POLICY_H_
