#include "client/p2pctl/child_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/p2pctl/pidfd.h"
#include "daemon/base/errors.h"

namespace p2p::ctl {
namespace {

constexpr int kFirstFd = 3;
constexpr char kListenPid[] = "LISTEN_PID=";

// Everything that the child needs, made before the fork: after it, only async-signal-safe calls are allowed,
// because other threads may have held any lock.
struct Prepared {
  std::vector<char*> arguments;
  std::vector<char*> environment;
  std::string listen_pid = absl::StrCat(kListenPid, std::string(20, '\0'));  // the child writes its own
  std::vector<std::string> strings;
  std::vector<p2pd::UniqueFd> fds;  // copies, beyond where they are wanted
  sigset_t signal_mask = {};
  pid_t parent = getpid();
};

// Of p2pctl's own environment, what says nothing of descriptors that are not passed on.
std::vector<std::string> InheritedEnvironment() {
  std::vector<std::string> inherited;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!absl::StartsWith(*entry, "LISTEN_") && !absl::StartsWith(*entry, "NOTIFY_SOCKET="))
      inherited.emplace_back(*entry);
  }
  return inherited;
}

// Fills `prepared`, which must stay where it is: it points into itself.
absl::Status Prepare(const ChildOptions& options, Prepared& prepared) {
  prepared.signal_mask = options.signal_mask;
  const int beyond = kFirstFd + static_cast<int>(options.fds.size());
  std::vector<std::string> names;
  for (const PassedFd& passed : options.fds) {
    p2pd::UniqueFd copy(fcntl(passed.fd, F_DUPFD_CLOEXEC, beyond));
    if (!copy.valid()) return p2pd::ErrnoError("fcntl(F_DUPFD_CLOEXEC)", passed.name, errno);
    prepared.fds.push_back(std::move(copy));
    names.push_back(passed.name);
  }
  prepared.strings = InheritedEnvironment();
  prepared.strings.insert(prepared.strings.end(), options.environment.begin(), options.environment.end());
  if (!options.fds.empty()) {
    prepared.strings.push_back(absl::StrCat("LISTEN_FDS=", options.fds.size()));
    prepared.strings.push_back(absl::StrCat("LISTEN_FDNAMES=", absl::StrJoin(names, ":")));
    prepared.environment.push_back(prepared.listen_pid.data());
  }
  for (std::string& entry : prepared.strings) prepared.environment.push_back(entry.data());
  prepared.environment.push_back(nullptr);
  for (const std::string& word : options.command) prepared.arguments.push_back(const_cast<char*>(word.c_str()));
  prepared.arguments.push_back(nullptr);
  return absl::OkStatus();
}

// In the child. Returns the errno of what failed.
int Execute(Prepared& prepared) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != prepared.parent) return ESRCH;  // it died before prctl()
  if (close_range(kFirstFd, ~0U, CLOSE_RANGE_CLOEXEC) != 0) return errno;
  int target = kFirstFd;
  for (const p2pd::UniqueFd& fd : prepared.fds) {
    if (dup2(fd.get(), target++) < 0) return errno;
  }
  char* const number = prepared.listen_pid.data() + strlen(kListenPid);
  std::to_chars(number, number + 20, getpid());
  pthread_sigmask(SIG_SETMASK, &prepared.signal_mask, nullptr);
  execvpe(prepared.arguments[0], prepared.arguments.data(), prepared.environment.data());
  return errno;
}

// What exec failed with; 0 when it succeeded, which closes the pipe.
int ReadError(p2pd::FdRef pipe) {
  int error = 0;
  while (read(pipe.get(), &error, sizeof(error)) < 0 && errno == EINTR) {
  }
  return error;
}

}  // namespace

absl::StatusOr<ChildProcess> ChildProcess::Start(const ChildOptions& options) {
  Prepared prepared;
  P2PD_RETURN_IF_ERROR(Prepare(options, prepared));
  int ends[2] = {};
  if (pipe2(ends, O_CLOEXEC) != 0) return p2pd::ErrnoError("pipe2", options.command[0], errno);
  const p2pd::UniqueFd reader(ends[0]);
  p2pd::UniqueFd writer(ends[1]);
  // Not fork(): what libraries want done around that is for a child that goes on using them.
  const pid_t pid = _Fork();
  if (pid < 0) return p2pd::ErrnoError("fork", options.command[0], errno);
  if (pid == 0) {
    // The targets from 3 on may be where the pipe is.
    const int report = fcntl(writer.get(), F_DUPFD_CLOEXEC, kFirstFd + static_cast<int>(options.fds.size()));
    const int error = Execute(prepared);
    static_cast<void>(!write(report, &error, sizeof(error)));
    _exit(127);
  }
  writer.Reset();
  ChildProcess child(pid, OpenPidfd(pid));
  const int no_pidfd = child.pidfd_.valid() ? 0 : errno;
  const int not_executed = ReadError(reader);
  if (not_executed == 0 && no_pidfd == 0) return child;
  kill(pid, SIGKILL);  // it is not waited for yet: the pid is its own
  child.Wait();
  if (not_executed != 0) return p2pd::ErrnoError("exec", options.command[0], not_executed);
  return p2pd::ErrnoError("pidfd_open", options.command[0], no_pidfd);
}

void ChildProcess::Signal(int number) const { SendSignal(pidfd_, number); }

int ChildProcess::Wait() {
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace p2p::ctl
