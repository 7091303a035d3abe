// The daemon's log: one line a message on stderr, with the journal's priority in front where stderr is the
// journal. What clients choose (names) is escaped here, so that a message is always one line.
//
// Never log a session's token.
#ifndef P2PD_DAEMON_SERVICE_LOG_H_
#define P2PD_DAEMON_SERVICE_LOG_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace p2pd {

// The values are syslog's priorities.
enum class LogLevel { kError = 3, kWarning = 4, kNotice = 5, kInfo = 6, kDebug = 7 };

// "error", "warning", "notice", "info" or "debug". Errors: InvalidArgument.
absl::StatusOr<LogLevel> ParseLogLevel(absl::string_view name);
absl::string_view LogLevelName(LogLevel level);

// Messages less urgent than `least` are dropped from now on; kInfo at first. Thread-safe.
void SetLogLevel(LogLevel least);

// Thread-safe.
void Log(LogLevel level, absl::string_view message);

// The line that Log writes: "<6>message\n" for the journal, "p2pd: message\n" else.
std::string FormatLogLine(LogLevel level, absl::string_view message, bool to_journal);

}  // namespace p2pd

#endif  // P2PD_DAEMON_SERVICE_LOG_H_
