// p2pd's command line.
#ifndef P2PD_DAEMON_FLAGS_H_
#define P2PD_DAEMON_FLAGS_H_

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "daemon/base/pci_address.h"
#include "daemon/config/settings.h"
#include "daemon/service/log.h"

namespace p2pd {

struct Flags {
  std::optional<std::string> config;  // absent: the default file
  bool check_config = false;
  std::string simulate;    // a file; "" for the real kernel
  std::string sysfs_root;  // "" for the kernel's own

  // Instead of what the configuration says, where they were given.
  std::optional<std::string> fd_socket;
  std::optional<std::string> grpc_socket;
  std::optional<std::string> config_socket;
  std::optional<std::string> policy;
  std::vector<PciAddress> manage;
  std::optional<absl::Duration> quiesce_deadline;
  std::optional<LogLevel> log_level;
};

// The flags; or the code to exit with, after help, the version or an error was printed.
std::variant<Flags, int> ParseFlags(int argc, const char* const* argv, const std::string& version);

void Override(const Flags& flags, Settings& settings);

}  // namespace p2pd

#endif  // P2PD_DAEMON_FLAGS_H_
