#include "client/testing/open_fds.h"

#include <dirent.h>
#include <limits.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace p2p::testing {

int CountOpenFds(absl::string_view what) {
  std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir("/proc/self/fd"), closedir);
  int count = 0;
  while (const dirent* entry = readdir(directory.get())) {
    char target[PATH_MAX] = {};
    const std::string path = absl::StrCat("/proc/self/fd/", entry->d_name);
    // Not a link: "." and "..".
    if (readlink(path.c_str(), target, sizeof(target) - 1) < 0) continue;
    if (absl::StrContains(target, what)) ++count;
  }
  return count;
}

}  // namespace p2p::testing
