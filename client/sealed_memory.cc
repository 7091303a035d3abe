#include "client/sealed_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/base/unique_fd.h"

namespace p2p {

absl::StatusOr<SealedMemory> SealedMemory::Create(absl::string_view name, size_t size) {
  const size_t page = sysconf(_SC_PAGESIZE);
  const std::string object = absl::StrCat(name, " of ", size, " bytes");
  if (size == 0 || size > static_cast<size_t>(std::numeric_limits<off_t>::max()) - page) {
    return p2pd::MakeError(absl::StatusCode::kInvalidArgument,
                           {.reason = p2pd::Reason::kInvalidArgument, .step = "SealedMemory", .object = object},
                           "the size is 0 or too large");
  }
  const size_t length = (size + page - 1) / page * page;
  p2pd::UniqueFd fd(memfd_create(std::string(name).c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return p2pd::ErrnoError("memfd_create", object, errno);
  int result = 0;
  do {
    result = fallocate(fd.get(), 0, 0, static_cast<off_t>(length));
  } while (result != 0 && errno == EINTR);
  if (result != 0) return p2pd::ErrnoError("fallocate", object, errno, "no memory left, or a memory limit is reached");
  if (fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0) {
    return p2pd::ErrnoError("F_ADD_SEALS", object, errno);
  }
  void* data = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (data == MAP_FAILED) return p2pd::ErrnoError("mmap", object, errno);
  static std::atomic<uint64_t> last_id = 0;
  SealedMemory memory(fd.Release(), static_cast<char*>(data), length, ++last_id);
  // fallocate leaves pages that the kernel zeroes when they are first touched: after a device has written to them, that
  // would be too late.
  if (madvise(data, length, MADV_POPULATE_WRITE) != 0) {
    return p2pd::ErrnoError("MADV_POPULATE_WRITE", object, errno, "no memory left, or a memory limit is reached");
  }
  return memory;
}

SealedMemory::SealedMemory(SealedMemory&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      id_(std::exchange(other.id_, 0)) {}

SealedMemory& SealedMemory::operator=(SealedMemory&& other) noexcept {
  if (this == &other) return *this;
  Free();
  fd_ = std::exchange(other.fd_, -1);
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  id_ = std::exchange(other.id_, 0);
  return *this;
}

SealedMemory::~SealedMemory() { Free(); }

void SealedMemory::Free() {
  if (data_ != nullptr) munmap(data_, size_);
  if (fd_ >= 0) close(fd_);
}

}  // namespace p2p
