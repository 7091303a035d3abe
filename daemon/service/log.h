// The daemon's log: one line a message on stderr; or, where stderr is the journal, an entry with fields, by which
// "journalctl P2PD_DEVICE=devices/0000:3a:00.0" finds it. What clients choose (names) is escaped here, so that a
// message is always one line.
//
// Never log a session's token.
#ifndef P2PD_DAEMON_SERVICE_LOG_H_
#define P2PD_DAEMON_SERVICE_LOG_H_

#include <string>
#include <vector>

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
LogLevel GetLogLevel();

struct LogField {
  std::string name;  // of the journal's: P2PD_DEVICE, P2PD_SESSION, ...
  std::string value;
};

struct LogEntry {
  LogLevel level = LogLevel::kInfo;
  std::string message;
  absl::string_view id = "";  // one of message_ids.h, which outlives everything
  std::vector<LogField> fields = {};
};

// Thread-safe.
void Log(const LogEntry& entry);
void Log(LogLevel level, absl::string_view message);

// The line that Log writes on a stderr that is not the journal.
std::string FormatLogLine(LogLevel level, absl::string_view message);
// What Log sends to the journal: "MESSAGE=...", "PRIORITY=6", ...
std::vector<std::string> JournalFields(const LogEntry& entry);

}  // namespace p2pd

#endif  // P2PD_DAEMON_SERVICE_LOG_H_
