#include "daemon/kernel/sim/device_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/kernel/sim/iova_space.h"

namespace p2pd::sim {
namespace {

constexpr int kNumRegions = 9;
constexpr uint64_t kMappedRegisters = 1 << 20;

absl::StatusOr<uint8_t*> Map(FdRef fd, uint64_t offset, uint64_t size) {
  void* map = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), static_cast<off_t>(offset));
  if (map == MAP_FAILED) return ErrnoError("mmap", "a simulated device", errno);
  return static_cast<uint8_t*>(map);
}

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceFile>> DeviceFile::Create(const DeviceSpec& spec) {
  const std::string name = absl::StrCat("p2pd-sim-", spec.address.ToString());
  P2PD_ASSIGN_OR_RETURN(TrackedFile file, TrackedFile::Create(name, RegionOffset(kNumRegions)));
  std::unique_ptr<DeviceFile> device(new DeviceFile(std::move(file), spec));
  const FdRef own = device->file_.own();
  P2PD_ASSIGN_OR_RETURN(device->config_, Map(own, RegionOffset(kConfigRegion), kPageSize));
  device->registers_size_ = std::clamp<uint64_t>(spec.bars[0].size, kPageSize, kMappedRegisters);
  P2PD_ASSIGN_OR_RETURN(device->registers_, Map(own, RegionOffset(0), device->registers_size_));
  return device;
}

DeviceFile::~DeviceFile() {
  if (config_ != nullptr) munmap(config_, kPageSize);
  if (registers_ != nullptr) munmap(registers_, registers_size_);
}

void DeviceFile::Read(int region, uint64_t offset, absl::Span<uint8_t> bytes) const {
  const auto at = static_cast<off_t>(RegionOffset(region) + offset);
  const ssize_t n = pread(file_.own().get(), bytes.data(), bytes.size(), at);
  if (n != static_cast<ssize_t>(bytes.size())) std::fill(bytes.begin(), bytes.end(), 0xff);
}

void DeviceFile::Write(int region, uint64_t offset, absl::Span<const uint8_t> bytes) {
  const auto at = static_cast<off_t>(RegionOffset(region) + offset);
  const ssize_t n = pwrite(file_.own().get(), bytes.data(), bytes.size(), at);
  static_cast<void>(n);  // no memory left: the write is lost, as on a device that dropped off the bus
}

template <typename T>
T DeviceFile::Load(uint64_t offset) const {
  if (offset + sizeof(T) > registers_size_) abort();
  return std::atomic_ref<T>(*reinterpret_cast<T*>(registers_ + offset)).load(std::memory_order_acquire);
}

template <typename T>
void DeviceFile::Store(uint64_t offset, T value) {
  if (offset + sizeof(T) > registers_size_) abort();
  std::atomic_ref<T>(*reinterpret_cast<T*>(registers_ + offset)).store(value, std::memory_order_release);
}

uint32_t DeviceFile::Load32(uint64_t offset) const { return Load<uint32_t>(offset); }
uint64_t DeviceFile::Load64(uint64_t offset) const { return Load<uint64_t>(offset); }
void DeviceFile::Store32(uint64_t offset, uint32_t value) { Store(offset, value); }
void DeviceFile::Store64(uint64_t offset, uint64_t value) { Store(offset, value); }

absl::Span<const uint8_t> DeviceFile::config() const { return {config_, kPageSize}; }

void DeviceFile::ClearBars() {
  for (int i = 0; i < kNumBars; ++i) Clear(i, {.start = 0, .length = spec_.bars[i].size});
}

void DeviceFile::ClearRegisters() {
  for (int i = 0; i < kNumBars; ++i) {
    if (!spec_.bars[i].prefetchable) Clear(i, {.start = 0, .length = spec_.bars[i].size});
  }
}

void DeviceFile::Clear(int bar, Range range) {
  if (range.length == 0) return;
  // What is smaller than a page stands alone on its page.
  const uint64_t whole_pages = (range.length + kPageSize - 1) / kPageSize * kPageSize;
  fallocate(file_.own().get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
            static_cast<off_t>(RegionOffset(bar) + range.start), static_cast<off_t>(whole_pages));
}

}  // namespace p2pd::sim
