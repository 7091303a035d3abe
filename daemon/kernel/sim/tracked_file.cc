#include "daemon/kernel/sim/tracked_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"

namespace p2pd::sim {
namespace {

// Far beyond any data; a lock needs no data under it.
constexpr off_t kLockBase = off_t{1} << 60;

struct flock LockOf(uint64_t handle) {
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = kLockBase + static_cast<off_t>(handle);
  lock.l_len = 1;
  return lock;
}

// Whether an open other than the one behind `fd` holds the handle's byte.
bool HeldElsewhere(FdRef fd, uint64_t handle) {
  struct flock lock = LockOf(handle);
  return fcntl(fd.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

}  // namespace

std::optional<FileId> Identify(FdRef fd) {
  struct stat status = {};
  if (fstat(fd.get(), &status) != 0) return std::nullopt;
  return FileId{.device = status.st_dev, .inode = status.st_ino};
}

absl::StatusOr<TrackedFile> TrackedFile::Create(absl::string_view name, uint64_t size) {
  UniqueFd own(memfd_create(std::string(name).c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!own.valid()) return ErrnoError("memfd_create", name, errno);
  if (ftruncate(own.get(), static_cast<off_t>(size)) != 0) return ErrnoError("ftruncate", name, errno);
  // Whoever is handed a descriptor must not be able to take away what is mapped here.
  constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  if (fcntl(own.get(), F_ADD_SEALS, kSeals) != 0) return ErrnoError("F_ADD_SEALS", name, errno);
  const std::optional<FileId> id = Identify(own);
  if (!id.has_value()) return ErrnoError("fstat", name, errno);
  return TrackedFile(std::move(own), *id);
}

absl::StatusOr<UniqueFd> TrackedFile::Open(uint64_t handle) const {
  const std::string path = absl::StrCat("/proc/self/fd/", own_.get());
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd.valid()) return ErrnoError("open", path, errno);
  struct flock lock = LockOf(handle);
  if (fcntl(fd.get(), F_OFD_SETLK, &lock) != 0) return ErrnoError("F_OFD_SETLK", path, errno);
  return fd;
}

bool TrackedFile::IsOpen(uint64_t handle) const { return HeldElsewhere(own_, handle); }

bool TrackedFile::IsHandle(FdRef fd, uint64_t handle) const { return IsOpen(handle) && !HeldElsewhere(fd, handle); }

}  // namespace p2pd::sim
