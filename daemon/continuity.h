// What of p2pd outlives its process: the service manager's fd store, and the journal in it. Without a service manager,
// or without a store, there is neither, and p2pd goes on and says so.
#ifndef P2PD_DAEMON_CONTINUITY_H_
#define P2PD_DAEMON_CONTINUITY_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/core/fd_store.h"
#include "daemon/core/quota.h"
#include "daemon/core/state_journal.h"
#include "daemon/service/listen_fds.h"
#include "daemon/service/unit_properties.h"

namespace p2pd {

class Continuity {
 public:
  // Waits until no older process of this service is left, and takes what was stored out of `inherited`. Errors: an
  // older one does not go away; something was stored and the service manager cannot be asked.
  static absl::StatusOr<Continuity> Open(const QuotaLimits& limits, std::vector<NamedFd>& inherited);

  static Continuity Without(const std::string& why);

  FdStore& store() { return *store_; }
  StateJournal& journal() { return *journal_; }
  // Why what was stored cannot be trusted; "": it can.
  const std::string& distrust() const { return distrust_; }

  // Whether this process is stopped only to be started again: then it must end nothing.
  bool Restarts();

 private:
  absl::Status OpenJournal(const QuotaLimits& limits);

  std::unique_ptr<UnitProperties> unit_;
  std::unique_ptr<FdStore> store_;
  std::unique_ptr<StateJournal> journal_;
  std::string distrust_;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_CONTINUITY_H_
