// p2pd's command line.
#ifndef P2PD_DAEMON_FLAGS_H_
#define P2PD_DAEMON_FLAGS_H_

#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "daemon/base/pci_address.h"
#include "daemon/service/log.h"

namespace p2pd {

struct Flags {
  std::string fd_socket = "/run/p2pd/fds.sock";
  std::string grpc_socket = "/run/p2pd/p2pd.sock";
  std::string policy = "/etc/p2pd/policy.textproto";
  std::string simulate;            // a file; "" for the real kernel
  std::string sysfs_root;          // "" for the kernel's own
  std::vector<PciAddress> manage;  // empty: every device bound to vfio-pci
  absl::Duration quiesce_deadline = absl::Seconds(2);
  LogLevel log_level = LogLevel::kInfo;
};

// The flags; or the code to exit with, after help, the version or an error was printed.
std::variant<Flags, int> ParseFlags(int argc, const char* const* argv, const std::string& version);

}  // namespace p2pd

#endif  // P2PD_DAEMON_FLAGS_H_
