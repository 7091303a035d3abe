#include "daemon/textproto/trusted_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "daemon/base/errors.h"
#include "daemon/base/unique_fd.h"

namespace p2pd {
namespace {

absl::Status Untrusted(const std::string& path, absl::string_view what, std::string hint) {
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   {.reason = Reason::kInvalidArgument,
                    .step = "read a trusted file",
                    .object = path,
                    .error = 0,
                    .hint = std::move(hint)},
                   what);
}

absl::Status CheckWriters(const struct stat& status, const std::string& path, uid_t self) {
  if (status.st_uid != 0 && status.st_uid != self) {
    return Untrusted(path, absl::StrFormat("belongs to uid %d, who could change it at will", status.st_uid),
                     "chown it to root");
  }
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Untrusted(path, absl::StrFormat("has mode %04o: others than its owner may write it", status.st_mode & 07777),
                     "chmod go-w");
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> Open(const std::string& path) {
  // O_NONBLOCK: opening a FIFO must not wait for its writer.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (fd >= 0) return UniqueFd(fd);
  return ErrnoError("open", path, errno, errno == ELOOP ? "it is a symbolic link: name the file itself" : "");
}

absl::StatusOr<struct stat> Status(FdRef fd, const std::string& path) {
  struct stat status = {};
  if (fstat(fd.get(), &status) != 0) return ErrnoError("fstat", path, errno);
  return status;
}

// Reads to the end of the file, or one byte past `max_bytes`.
absl::StatusOr<std::string> ReadAll(FdRef fd, const std::string& path, size_t max_bytes) {
  std::string content(max_bytes + 1, '\0');
  size_t filled = 0;
  while (filled < content.size()) {
    const ssize_t count = read(fd.get(), content.data() + filled, content.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return ErrnoError("read", path, errno);
    if (count == 0) break;
    filled += static_cast<size_t>(count);
  }
  content.resize(filled);
  return content;
}

bool SameTime(const timespec& a, const timespec& b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; }

}  // namespace

absl::Status CheckTrusted(const struct stat& status, const std::string& path, uid_t self, size_t max_bytes) {
  if (!S_ISREG(status.st_mode)) return Untrusted(path, "is not a regular file", "name a file");
  P2PD_RETURN_IF_ERROR(CheckWriters(status, path, self));
  if (static_cast<uint64_t>(status.st_size) > max_bytes) {
    return Untrusted(path, absl::StrCat("has ", status.st_size, " bytes; at most ", max_bytes, " are read"),
                     "make it smaller");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadTrustedFile(const std::string& path, size_t max_bytes) {
  P2PD_ASSIGN_OR_RETURN(const UniqueFd fd, Open(path));
  P2PD_ASSIGN_OR_RETURN(const struct stat before, Status(fd, path));
  P2PD_RETURN_IF_ERROR(CheckTrusted(before, path, geteuid(), max_bytes));
  P2PD_ASSIGN_OR_RETURN(std::string content, ReadAll(fd, path, max_bytes));
  // Half of a file that is being rewritten may still make sense, without what its end forbids.
  P2PD_ASSIGN_OR_RETURN(const struct stat after, Status(fd, path));
  const bool changed = !SameTime(before.st_mtim, after.st_mtim) || !SameTime(before.st_ctim, after.st_ctim) ||
                       content.size() != static_cast<uint64_t>(before.st_size);
  if (changed) {
    return MakeError(absl::StatusCode::kUnavailable,
                     {.reason = Reason::kInvalidArgument,
                      .step = "read a trusted file",
                      .object = path,
                      .error = 0,
                      .hint = "write a new file and rename it over the old one"},
                     "changed while it was read");
  }
  return content;
}

absl::StatusOr<std::vector<std::string>> ListTrustedFolder(const std::string& path, absl::string_view suffix) {
  std::vector<std::string> files;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(path.c_str()), closedir);
  if (folder == nullptr && errno == ENOENT) return files;
  if (folder == nullptr) return ErrnoError("opendir", path, errno);
  P2PD_ASSIGN_OR_RETURN(const struct stat status, Status(FdRef(dirfd(folder.get())), path));
  P2PD_RETURN_IF_ERROR(CheckWriters(status, path, geteuid()));
  const dirent* entry = nullptr;
  while (errno = 0, (entry = readdir(folder.get())) != nullptr) {
    const absl::string_view name = entry->d_name;
    if (!absl::StartsWith(name, ".") && absl::EndsWith(name, suffix)) files.push_back(absl::StrCat(path, "/", name));
  }
  if (errno != 0) return ErrnoError("readdir", path, errno);
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace p2pd
