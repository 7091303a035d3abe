// The storage behind a simulated NVMe namespace: a file, or memory that starts as zeroes.
#ifndef P2PD_DAEMON_KERNEL_SIM_DISK_H_
#define P2PD_DAEMON_KERNEL_SIM_DISK_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "daemon/base/unique_fd.h"

namespace p2pd::sim {

inline constexpr uint64_t kBlockSize = 512;

class Disk {
 public:
  // The file at `path`, or `size` bytes of memory if that is "" (64 MiB if `size` is 0 as well).
  static absl::StatusOr<Disk> Open(const std::string& path, uint64_t size);

  uint64_t blocks() const { return size_ / kBlockSize; }

  // Inside the disk. False if the file failed.
  bool Read(uint64_t offset, absl::Span<uint8_t> bytes) const;
  bool Write(uint64_t offset, absl::Span<const uint8_t> bytes);

 private:
  Disk(UniqueFd fd, uint64_t size) : fd_(std::move(fd)), size_(size) {}

  UniqueFd fd_;
  uint64_t size_;
};

}  // namespace p2pd::sim

#endif  // P2PD_DAEMON_KERNEL_SIM_DISK_H_
