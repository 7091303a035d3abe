#include "daemon/service/listen_fds.h"

#include <stdlib.h>
#include <systemd/sd-daemon.h>

#include "absl/cleanup/cleanup.h"
#include "daemon/base/errors.h"

namespace p2pd {

absl::StatusOr<std::vector<NamedFd>> TakeListenFds() {
  char** names = nullptr;
  const int count = sd_listen_fds_with_names(/*unset_environment=*/1, &names);
  if (count < 0) return ErrnoError("sd_listen_fds_with_names", "", -count);
  const absl::Cleanup free_names = [names] {
    for (char** name = names; name != nullptr && *name != nullptr; ++name) free(*name);
    free(names);
  };
  std::vector<NamedFd> fds;
  for (int i = 0; i < count; ++i) {
    fds.push_back({.name = names[i], .fd = UniqueFd(SD_LISTEN_FDS_START + i)});
  }
  return fds;
}

}  // namespace p2pd
