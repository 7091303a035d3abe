#include "daemon/base/unique_fd.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"

namespace p2pd {

void UniqueFd::Reset(int fd) {
  // EINTR included: on Linux the descriptor is gone after any close().
  if (fd_ >= 0) close(fd_);
  fd_ = fd;
}

absl::StatusOr<UniqueFd> Duplicate(FdRef fd) {
  const int copy = fcntl(fd.get(), F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return ErrnoError("F_DUPFD_CLOEXEC", absl::StrCat("fd ", fd.get()), errno);
  return UniqueFd(copy);
}

}  // namespace p2pd
