#include "tests/bench/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "daemon/base/errors.h"
#include "daemon/base/unique_fd.h"

namespace p2pd::bench {
namespace {

constexpr int kReadyMilliseconds = 30000;
constexpr int kStopMilliseconds = 10000;

absl::StatusOr<UniqueFd> ListenForReady(const std::string& path) {
  UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  unlink(path.c_str());
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return ErrnoError("bind", path, errno);
  }
  return fd;
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::stringstream content;
  content << file.rdbuf();
  if (!file) return absl::NotFoundError(absl::StrCat("cannot read ", path));
  return content.str();
}

// In the child, between fork and exec: only what is safe there.
[[noreturn]] void Become(char* const* words, char* const* environment) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  execve(words[0], words, environment);
  _exit(127);
}

std::vector<char*> Pointers(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

absl::Status AwaitReady(const UniqueFd& notify, pid_t pid, const std::string& program) {
  constexpr int kLook = 100;
  for (int waited = 0; waited < kReadyMilliseconds; waited += kLook) {
    pollfd wait = {.fd = notify.get(), .events = POLLIN, .revents = 0};
    if (poll(&wait, 1, kLook) == 1) {
      char message[512];
      const ssize_t size = recv(notify.get(), message, sizeof(message), 0);
      if (size > 0 && absl::StrContains(absl::string_view(message, size), "READY=1")) return absl::OkStatus();
    }
    siginfo_t ended = {};
    if (waitid(P_PID, pid, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid == pid) {
      return absl::UnavailableError(absl::StrCat(program, " ended before it was ready"));
    }
  }
  return absl::UnavailableError(absl::StrCat(program, " was not ready in time"));
}

}  // namespace

absl::StatusOr<Folder> Folder::Create() {
  char name[] = "/tmp/p2pd-bench-XXXXXX";
  if (mkdtemp(name) == nullptr) return ErrnoError("mkdtemp", name, errno);
  return Folder(name);
}

Folder::~Folder() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

std::string Folder::At(absl::string_view name) const { return absl::StrCat(path_, "/", name); }

absl::Status Folder::Write(absl::string_view name, absl::string_view content) const {
  const std::string path = At(name);
  std::ofstream file(path);
  file << content << std::flush;
  return file ? absl::OkStatus() : absl::InternalError(absl::StrCat("cannot write ", path));
}

absl::Status Folder::MakeFolders(absl::string_view name) const {
  std::error_code error;
  std::filesystem::create_directories(At(name), error);
  return error ? absl::InternalError(absl::StrCat("cannot make ", At(name), ": ", error.message())) : absl::OkStatus();
}

absl::StatusOr<Process> Process::Start(std::vector<std::string> command, const Folder& folder) {
  const std::string notify_path = folder.At("notify");
  P2PD_ASSIGN_OR_RETURN(const UniqueFd notify, ListenForReady(notify_path));
  std::vector<std::string> environment = {absl::StrCat("NOTIFY_SOCKET=", notify_path)};
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!absl::StartsWith(*entry, "NOTIFY_SOCKET=")) environment.emplace_back(*entry);
  }
  const std::vector<char*> words = Pointers(command);
  const std::vector<char*> variables = Pointers(environment);
  const pid_t pid = fork();
  if (pid < 0) return ErrnoError("fork", command[0], errno);
  if (pid == 0) Become(words.data(), variables.data());
  Process process(pid);
  P2PD_RETURN_IF_ERROR(AwaitReady(notify, pid, command[0]));
  return process;
}

Process::~Process() {
  if (pid_ == 0) return;
  kill(pid_, SIGTERM);
  constexpr int kLook = 10;
  for (int waited = 0; waited < kStopMilliseconds; waited += kLook) {
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) return;
    poll(nullptr, 0, kLook);
  }
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

absl::StatusOr<uint64_t> Process::ResidentBytes() const {
  P2PD_ASSIGN_OR_RETURN(const std::string status, ReadFile(absl::StrCat("/proc/", pid_, "/status")));
  P2PD_ASSIGN_OR_RETURN(const uint64_t kilobytes, StatusField(status, "VmRSS:"));
  return kilobytes * 1024;
}

absl::StatusOr<uint64_t> Process::VoluntarySwitches() const {
  uint64_t sum = 0;
  std::error_code error;
  for (const auto& task : std::filesystem::directory_iterator(absl::StrCat("/proc/", pid_, "/task"), error)) {
    const auto status = ReadFile(task.path() / "status");
    if (!status.ok()) continue;  // it has just ended
    P2PD_ASSIGN_OR_RETURN(const uint64_t switches, StatusField(*status, "voluntary_ctxt_switches:"));
    sum += switches;
  }
  if (error) return absl::NotFoundError(absl::StrCat("cannot list the threads of ", pid_, ": ", error.message()));
  return sum;
}

absl::Status RunToEnd(std::vector<std::string> command) {
  const std::vector<char*> words = Pointers(command);
  const UniqueFd nowhere(open("/dev/null", O_WRONLY | O_CLOEXEC));
  const pid_t pid = fork();
  if (pid < 0) return ErrnoError("fork", command[0], errno);
  if (pid == 0) {
    dup2(nowhere.get(), STDOUT_FILENO);
    Become(words.data(), environ);
  }
  int status = 0;
  if (waitpid(pid, &status, 0) != pid) return ErrnoError("waitpid", command[0], errno);
  return status == 0 ? absl::OkStatus() : absl::UnavailableError(absl::StrCat(command[0], " failed"));
}

absl::StatusOr<uint64_t> StatusField(absl::string_view status, absl::string_view key) {
  for (absl::string_view line : absl::StrSplit(status, '\n')) {
    if (!absl::ConsumePrefix(&line, key)) continue;
    const std::vector<absl::string_view> words = absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    uint64_t value = 0;
    if (!words.empty() && absl::SimpleAtoi(words[0], &value)) return value;
  }
  return absl::NotFoundError(absl::StrCat("no number after ", key));
}

}  // namespace p2pd::bench
