#include "daemon/kernel/sim/disk.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "daemon/base/errors.h"

namespace p2pd::sim {

absl::StatusOr<Disk> Disk::Open(const std::string& path, uint64_t size) {
  if (path.empty()) {
    if (size == 0) size = uint64_t{64} << 20;
    UniqueFd fd(memfd_create("p2pd-sim-disk", MFD_CLOEXEC));
    if (!fd.valid()) return ErrnoError("memfd_create", "a simulated disk", errno);
    if (ftruncate(fd.get(), static_cast<off_t>(size)) != 0) return ErrnoError("ftruncate", "a simulated disk", errno);
    return Disk(std::move(fd), size);
  }
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd.valid()) return ErrnoError("open", path, errno, "the disk of a simulated NVMe is a writable file");
  const off_t end = lseek(fd.get(), 0, SEEK_END);
  if (end < 0) return ErrnoError("lseek", path, errno, "the disk of a simulated NVMe is a file or block device");
  return Disk(std::move(fd), static_cast<uint64_t>(end));
}

bool Disk::Read(uint64_t offset, absl::Span<uint8_t> bytes) const {
  return pread(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)) == static_cast<ssize_t>(bytes.size());
}

bool Disk::Write(uint64_t offset, absl::Span<const uint8_t> bytes) {
  return pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)) ==
         static_cast<ssize_t>(bytes.size());
}

}  // namespace p2pd::sim
