// The daemon's entry: what must happen before the first thread starts, then p2pd itself.
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <iostream>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_split.h"
#include "daemon/base/version.h"
#include "daemon/daemon.h"
#include "daemon/effective_settings.h"
#include "daemon/flags.h"
#include "daemon/service/event_loop.h"
#include "daemon/service/listen_fds.h"
#include "daemon/service/log.h"

namespace {

// A client costs several descriptors, a device some more; nothing here uses select().
void RaiseFileLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// What is wrong with a file may take several lines.
int Fail(const absl::Status& status) {
  for (const absl::string_view line : absl::StrSplit(status.message(), '\n')) {
    p2pd::Log(p2pd::LogLevel::kError, line);
  }
  return EXIT_FAILURE;
}

// To whoever asked, not to the log.
int Check(const p2pd::Flags& flags) {
  const auto settings = p2pd::CheckConfig(flags);
  if (!settings.ok()) {
    std::cerr << settings.status().message() << "\n";
    return EXIT_FAILURE;
  }
  std::cout << *settings;
  return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
  auto parsed = p2pd::ParseFlags(argc, argv, p2pd::kVersion);
  if (const int* exit_code = std::get_if<int>(&parsed)) return *exit_code;
  const p2pd::Flags& flags = std::get<p2pd::Flags>(parsed);
  if (flags.check_config) return Check(flags);
  const auto settings = p2pd::EffectiveSettings(flags);
  if (!settings.ok()) return Fail(settings.status());
  p2pd::SetLogLevel(settings->log_level);
  signal(SIGPIPE, SIG_IGN);
  p2pd::BlockStopSignals();
  RaiseFileLimit();
  auto inherited = p2pd::TakeListenFds();
  if (!inherited.ok()) return Fail(inherited.status());
  const absl::Status status = p2pd::RunDaemon(flags, *settings, p2pd::kVersion, *std::move(inherited));
  return status.ok() ? EXIT_SUCCESS : Fail(status);
}
