#include "daemon/service/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"

namespace p2pd {
namespace {

std::atomic<LogLevel> least_level = LogLevel::kInfo;

// systemd says in JOURNAL_STREAM which file the journal's stream is; stderr may have been redirected since.
bool StderrIsJournal() {
  const char* stream = getenv("JOURNAL_STREAM");
  struct stat file = {};
  if (stream == nullptr || fstat(STDERR_FILENO, &file) != 0) return false;
  return absl::StrCat(file.st_dev, ":", file.st_ino) == stream;
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

std::string FormatLogLine(LogLevel level, absl::string_view message, bool to_journal) {
  const std::string text = absl::Utf8SafeCHexEscape(message);
  if (to_journal) return absl::StrCat("<", static_cast<int>(level), ">", text, "\n");
  if (level == LogLevel::kError || level == LogLevel::kWarning) {
    return absl::StrCat("p2pd: ", LogLevelName(level), ": ", text, "\n");
  }
  return absl::StrCat("p2pd: ", text, "\n");
}

void Log(LogLevel level, absl::string_view message) {
  static const bool to_journal = StderrIsJournal();
  if (level > least_level) return;
  const std::string line = FormatLogLine(level, message, to_journal);
  fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace p2pd
