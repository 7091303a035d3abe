#include "daemon/service/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#define SD_JOURNAL_SUPPRESS_LOCATION  // ours would be this file's, always
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <atomic>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "daemon/base/errors.h"

namespace p2pd {
namespace {

std::atomic<LogLevel> least_level = LogLevel::kInfo;

// On one line, whatever a client has called itself; quotes do no harm.
std::string Printable(absl::string_view text) {
  return absl::StrReplaceAll(absl::Utf8SafeCHexEscape(text), {{"\\\"", "\""}, {"\\'", "'"}});
}

// systemd says in JOURNAL_STREAM which file the journal's stream is; stderr may have been redirected since.
bool StderrIsJournal() {
  const char* stream = getenv("JOURNAL_STREAM");
  struct stat file = {};
  if (stream == nullptr || fstat(STDERR_FILENO, &file) != 0) return false;
  return absl::StrCat(file.st_dev, ":", file.st_ino) == stream;
}

bool SendToJournal(const LogEntry& entry) {
  std::vector<std::string> fields = JournalFields(entry);
  std::vector<iovec> parts;
  for (std::string& field : fields) parts.push_back({.iov_base = field.data(), .iov_len = field.size()});
  return sd_journal_sendv(parts.data(), static_cast<int>(parts.size())) == 0;
}

}  // namespace

absl::string_view LogLevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return "error";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kNotice:
      return "notice";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kDebug:
      return "debug";
  }
  return "info";
}

absl::StatusOr<LogLevel> ParseLogLevel(absl::string_view name) {
  for (const LogLevel level :
       {LogLevel::kError, LogLevel::kWarning, LogLevel::kNotice, LogLevel::kInfo, LogLevel::kDebug}) {
    if (name == LogLevelName(level)) return level;
  }
  return MakeError(absl::StatusCode::kInvalidArgument,
                   {.reason = Reason::kInvalidArgument, .step = "log level", .object = std::string(name), .hint = ""},
                   "is none of error, warning, notice, info, debug");
}

void SetLogLevel(LogLevel least) { least_level = least; }

LogLevel GetLogLevel() { return least_level; }

std::string FormatLogLine(LogLevel level, absl::string_view message) {
  const std::string text = Printable(message);
  if (level == LogLevel::kError || level == LogLevel::kWarning) {
    return absl::StrCat("p2pd: ", LogLevelName(level), ": ", text, "\n");
  }
  return absl::StrCat("p2pd: ", text, "\n");
}

std::vector<std::string> JournalFields(const LogEntry& entry) {
  std::vector<std::string> fields = {
      absl::StrCat("MESSAGE=", Printable(entry.message)),
      absl::StrCat("PRIORITY=", static_cast<int>(entry.level)),
      "SYSLOG_IDENTIFIER=p2pd",
  };
  if (!entry.id.empty()) fields.push_back(absl::StrCat("MESSAGE_ID=", entry.id));
  for (const LogField& field : entry.fields) {
    fields.push_back(absl::StrCat(field.name, "=", Printable(field.value)));
  }
  return fields;
}

void Log(const LogEntry& entry) {
  static const bool to_journal = StderrIsJournal();
  if (entry.level > least_level) return;
  if (to_journal && SendToJournal(entry)) return;
  const std::string line = FormatLogLine(entry.level, entry.message);
  fwrite(line.data(), 1, line.size(), stderr);
}

void Log(LogLevel level, absl::string_view message) { Log({.level = level, .message = std::string(message)}); }

}  // namespace p2pd
