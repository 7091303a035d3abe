// The other end of sd_notify(3): the socket that a command is given as NOTIFY_SOCKET, and what it says there.
#ifndef P2PD_CLIENT_P2PCTL_NOTIFY_SOCKET_H_
#define P2PD_CLIENT_P2PCTL_NOTIFY_SOCKET_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/base/unique_fd.h"

namespace p2p::ctl {

class NotifySocket {
 public:
  // In the abstract namespace, under a name that the kernel picks: no file is left behind.
  static absl::StatusOr<NotifySocket> Create();

  // For the environment: "@...".
  const std::string& address() const { return address_; }
  // Readable when there is a message.
  p2pd::FdRef fd() const { return fd_; }
  // The lines of the next message ("READY=1"); none for a message of another user's. nullopt: there is none.
  std::optional<std::vector<std::string>> Take();

 private:
  NotifySocket(p2pd::UniqueFd fd, std::string address) : fd_(std::move(fd)), address_(std::move(address)) {}

  p2pd::UniqueFd fd_;
  std::string address_;
};

}  // namespace p2p::ctl

#endif  // P2PD_CLIENT_P2PCTL_NOTIFY_SOCKET_H_
