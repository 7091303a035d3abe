// p2pd's end of p2pd-config. What comes back is for whoever asked to check against what it knows itself.
#ifndef P2PD_DAEMON_HELPER_CONFIG_CLIENT_H_
#define P2PD_DAEMON_HELPER_CONFIG_CLIENT_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/base/pci_address.h"

namespace p2pd {

class ConfigClient {
 public:
  // `patience` is for all of one Read().
  explicit ConfigClient(std::string socket, absl::Duration patience = absl::Seconds(30))
      : socket_(std::move(socket)), patience_(patience) {}

  // The configuration space of each of these functions, in their order, over one connection. Blocks. When p2pd-config
  // cannot be asked, or stops answering, that is the error of all that are left. Errors: those of connect;
  // DeadlineExceeded; Unavailable; FailedPrecondition (p2pd-config refused, or could not read it).
  std::vector<absl::StatusOr<std::string>> Read(const std::vector<PciAddress>& functions) const;

 private:
  const std::string socket_;
  const absl::Duration patience_;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_HELPER_CONFIG_CLIENT_H_
