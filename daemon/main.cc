// The daemon's entry: what must happen before the first thread starts, then p2pd itself.
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <string>
#include <utility>
#include <variant>

#include "daemon/base/version.h"
#include "daemon/daemon.h"
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

int Fail(const absl::Status& status) {
  p2pd::Log(p2pd::LogLevel::kError, std::string(status.message()));
  return EXIT_FAILURE;
}

}  // namespace

int main(int argc, char** argv) {
  auto flags = p2pd::ParseFlags(argc, argv, p2pd::kVersion);
  if (const int* exit_code = std::get_if<int>(&flags)) return *exit_code;
  p2pd::SetLogLevel(std::get<p2pd::Flags>(flags).log_level);
  signal(SIGPIPE, SIG_IGN);
  p2pd::BlockStopSignals();
  RaiseFileLimit();
  auto inherited = p2pd::TakeListenFds();
  if (!inherited.ok()) return Fail(inherited.status());
  const absl::Status status = p2pd::RunDaemon(std::get<p2pd::Flags>(flags), p2pd::kVersion, *std::move(inherited));
  return status.ok() ? EXIT_SUCCESS : Fail(status);
}
