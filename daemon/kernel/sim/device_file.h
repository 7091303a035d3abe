// What a simulated device looks like through its file descriptor: one file, laid out as VFIO lays out a
// device (region n at n << 40), so that whoever was passed a descriptor can read, write and map BARs and
// configuration space as with a real one. The simulation sees such accesses only by looking.
#ifndef P2PD_DAEMON_KERNEL_SIM_DEVICE_FILE_H_
#define P2PD_DAEMON_KERNEL_SIM_DEVICE_FILE_H_

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "daemon/kernel/sim/device_spec.h"
#include "daemon/kernel/sim/tracked_file.h"

namespace p2pd::sim {

constexpr uint64_t RegionOffset(int region) { return static_cast<uint64_t>(region) << 40; }

class DeviceFile {
 public:
  static absl::StatusOr<std::unique_ptr<DeviceFile>> Create(const DeviceSpec& spec);
  ~DeviceFile();
  DeviceFile(const DeviceFile&) = delete;
  DeviceFile& operator=(const DeviceFile&) = delete;

  const TrackedFile& file() const { return file_; }

  // Bytes of a region; the range must lie inside it.
  void Read(int region, uint64_t offset, absl::Span<uint8_t> bytes) const;
  void Write(int region, uint64_t offset, absl::Span<const uint8_t> bytes);

  // A register of BAR 0, naturally aligned, in the BAR's first MiB: one access, as a device would see it.
  uint32_t Load32(uint64_t offset) const;
  uint64_t Load64(uint64_t offset) const;
  void Store32(uint64_t offset, uint32_t value);
  void Store64(uint64_t offset, uint64_t value);

  // Configuration space, 4096 bytes.
  absl::Span<const uint8_t> config() const;

  // Zeroes every BAR; only those that are registers, not memory.
  void ClearBars();
  void ClearRegisters();
  // Zeroes a part of a BAR.
  void Clear(int bar, Range range);

 private:
  DeviceFile(TrackedFile file, const DeviceSpec& spec) : file_(std::move(file)), spec_(spec) {}

  template <typename T>
  T Load(uint64_t offset) const;
  template <typename T>
  void Store(uint64_t offset, T value);

  TrackedFile file_;
  const DeviceSpec spec_;
  uint8_t* registers_ = nullptr;  // BAR 0, its first MiB
  uint64_t registers_size_ = 0;
  uint8_t* config_ = nullptr;
};

}  // namespace p2pd::sim

#endif  // P2PD_DAEMON_KERNEL_SIM_DEVICE_FILE_H_
