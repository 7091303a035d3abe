#include "client/p2pctl/background.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "daemon/base/errors.h"

namespace p2p::ctl {
namespace {

// Closes every descriptor beyond stdio but `kept`: a lock or a pipe of the caller's must not live on.
void CloseOthers(p2pd::FdRef kept) {
  const unsigned int fd = kept.get();
  if (fd > 3) close_range(3, fd - 1, 0);
  close_range(fd + 1, ~0U, 0);
}

}  // namespace

absl::StatusOr<Background> Background::Fork() {
  int ends[2] = {};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return p2pd::ErrnoError("socketpair", "holder", errno);
  }
  p2pd::UniqueFd asking(ends[0]);
  p2pd::UniqueFd holding(ends[1]);
  const pid_t holder = fork();
  if (holder < 0) return p2pd::ErrnoError("fork", "holder", errno);
  if (holder != 0) return Background(holder, std::move(asking));
  setsid();
  asking.Reset();
  CloseOthers(holding);
  return Background(0, std::move(holding));
}

absl::Status Background::Detach() {
  const p2pd::UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null.valid()) return p2pd::ErrnoError("open", "/dev/null", errno);
  // Before it says so: a shell waits for the end of the pipe that stdout may be.
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(null.get(), fd);
  static_cast<void>(!chdir("/"));
  const char done = 0;
  if (send(socket_.get(), &done, sizeof(done), MSG_NOSIGNAL) != sizeof(done)) {
    return absl::CancelledError("nobody waits for the grant any more");
  }
  socket_.Reset();
  return absl::OkStatus();
}

int Background::AwaitHolder() {
  char done = 0;
  ssize_t got = 0;
  while ((got = recv(socket_.get(), &done, sizeof(done), 0)) < 0 && errno == EINTR) {
  }
  if (got == sizeof(done)) return 0;
  int status = 0;
  while (waitpid(holder_, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace p2p::ctl
