// Which operations run for so long that the administrator should know: a kernel call that hangs (a reset, an unmap)
// stops its own devices only, and nothing else would tell. Pure: time is a parameter.
#ifndef P2PD_DAEMON_BUS_SLOW_OPERATIONS_H_
#define P2PD_DAEMON_BUS_SLOW_OPERATIONS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "daemon/core/types.h"
#include "daemon/service/log.h"

namespace p2pd {

class SlowOperations {
 public:
  static constexpr absl::Duration kSlow = absl::Minutes(1);

  void Apply(const Event& event);

  // The entries for those that have become slow since the last call.
  std::vector<LogEntry> News(absl::Time now);
  // The names of those that News() has told of and that still run.
  std::vector<std::string> Names() const;
  bool any_running() const { return !running_.empty(); }

 private:
  struct Running {
    OperationView view;
    bool told = false;
  };
  std::map<OperationId, Running> running_;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_BUS_SLOW_OPERATIONS_H_
