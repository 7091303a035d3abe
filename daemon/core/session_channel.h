// What core needs of the fd channel of one session. The front implements it; a test records it. No call
// blocks, and none is made under core's lock.
#ifndef P2PD_DAEMON_CORE_SESSION_CHANNEL_H_
#define P2PD_DAEMON_CORE_SESSION_CHANNEL_H_

#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "daemon/base/unique_fd.h"
#include "daemon/core/types.h"

namespace p2pd {

struct QuiesceNotice {
  OperationId operation;
  PciAddress device;
  std::vector<PciAddress> devices;  // all that are reset or taken away
  uint64_t generation = 0;
  std::vector<MappingId> mappings;
  absl::Duration deadline;  // on the Scheduler's clock
};

struct ResumeNotice {
  OperationId operation;
  PciAddress device;
  uint64_t generation = 0;
  uint32_t restored = 0;
  uint32_t lost = 0;
};

class SessionChannel {
 public:
  virtual ~SessionChannel() = default;

  // Hands the fd of a device, or the dma-buf of an export, to the client. Errors: ResourceExhausted (it leaves
  // too many fds unread), Unavailable (it is gone).
  using Granted = std::variant<PciAddress, ExportId>;
  virtual absl::Status Grant(const Granted& what, const std::string& request_id, UniqueFd fd) = 0;

  // A client that cannot be told (its queue is full, or it is gone) is a client that does not answer.
  virtual void RequestQuiesce(const QuiesceNotice& notice) = 0;
  virtual void Resume(const ResumeNotice& notice) = 0;

  // The device's fd, or the dma-buf of a RAW export of it, is to be closed: neither is good for anything any more.
  virtual void RevokeDevice(const PciAddress& device, const std::string& reason) = 0;

  // A duplicate of what the session hangs on, to be kept for a successor; none where there is no such thing.
  virtual UniqueFd Lifeline() { return UniqueFd(); }

  // Says why, then hangs up.
  virtual void End(const std::string& reason) = 0;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_SESSION_CHANNEL_H_
