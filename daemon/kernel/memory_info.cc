#include "daemon/kernel/memory_info.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"

namespace p2pd {

absl::StatusOr<MemoryInfo> InspectFile(FdRef file) {
  const std::string object = absl::StrCat("fd ", file.get());
  const int flags = fcntl(file.get(), F_GETFL);
  if (flags < 0) return ErrnoError("F_GETFL", object, errno);
  // First of all: only memory answers it, and asking a stranger's file for its size may ask a stranger's server.
  const int seals = fcntl(file.get(), F_GET_SEALS);
  if (seals < 0) return MemoryInfo();
  struct stat status = {};
  if (fstat(file.get(), &status) != 0) return ErrnoError("fstat", object, errno);
  MemoryInfo info = {
      .size = static_cast<uint64_t>(status.st_size),
      .allocated = static_cast<uint64_t>(status.st_blocks) * 512,
      .writable = (flags & O_ACCMODE) == O_RDWR || (flags & O_ACCMODE) == O_WRONLY,
  };
  struct statfs file_system = {};
  if (fstatfs(file.get(), &file_system) != 0) return ErrnoError("fstatfs", object, errno);
  info.is_memfd = true;
  info.is_hugetlb = file_system.f_type == HUGETLBFS_MAGIC;
  info.sealed_shrink = (seals & F_SEAL_SHRINK) != 0;
  info.sealed_write = (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) != 0;
  return info;
}

absl::Status PopulateFile(FdRef file, Range range) {
  const std::string object = absl::StrCat("fd ", file.get(), " ", range.ToString());
  // A piece at a time: what is mapped costs page tables.
  constexpr uint64_t kPiece = uint64_t{1} << 30;
  for (uint64_t done = 0; done < range.length; done += kPiece) {
    const size_t length = std::min(kPiece, range.length - done);
    void* const there =
        mmap(nullptr, length, PROT_READ, MAP_SHARED, file.get(), static_cast<off_t>(range.start + done));
    if (there == MAP_FAILED) return ErrnoError("mmap", object, errno);
    const int failed = madvise(there, length, MADV_POPULATE_READ) == 0 ? 0 : errno;
    munmap(there, length);
    if (failed != 0) return ErrnoError("MADV_POPULATE_READ", object, failed);
  }
  return absl::OkStatus();
}

}  // namespace p2pd
