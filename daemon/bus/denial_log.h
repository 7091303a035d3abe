// What the policy refused, for the log: each refusal, but of one user no more than ten a minute. Those beyond are
// counted, and told as a number when the minute is over, so that nobody can fill the log and nothing goes uncounted.
#ifndef P2PD_DAEMON_BUS_DENIAL_LOG_H_
#define P2PD_DAEMON_BUS_DENIAL_LOG_H_

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "daemon/core/broker.h"
#include "daemon/service/log.h"

namespace p2pd {

class DenialLog {
 public:
  static constexpr uint64_t kLogged = 10;  // of each user
  static constexpr absl::Duration kPeriod = absl::Minutes(1);

  // The entries that this one is worth: none where it is only counted.
  std::vector<LogEntry> Note(const Denial& denial, absl::Time now);
  // What was only counted in periods that are over.
  std::vector<LogEntry> Flush(absl::Time now);
  // When there will be something to flush; none: nothing is left to tell.
  std::optional<absl::Time> due() const;

 private:
  struct User {
    absl::Time began;
    uint64_t denials = 0;
  };
  static LogEntry Summary(uint32_t uid, const User& user);

  std::map<uint32_t, User> users_;
};

LogEntry EntryFor(const Denial& denial);

}  // namespace p2pd

#endif  // P2PD_DAEMON_BUS_DENIAL_LOG_H_
