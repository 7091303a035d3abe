#include "deploy/demo/bar.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"

namespace demo {
namespace {

constexpr uint64_t kCommand = 4;  // in configuration space
constexpr uint16_t kMemoryAndBusMaster = 2 | 4;

template <typename T>
volatile T* At(char* base, uint64_t offset) {
  return reinterpret_cast<volatile T*>(base + offset);
}

}  // namespace

absl::StatusOr<Bar> Bar::Map(const p2p::Device& device, uint32_t index) {
  const auto& bars = device.info().bars();
  const auto bar = std::find_if(bars.begin(), bars.end(), [&](const auto& b) { return b.index() == index; });
  if (bar == bars.end()) return absl::NotFoundError(absl::StrCat(device.name(), " has no BAR ", index));
  void* const base =
      mmap(nullptr, bar->size(), PROT_READ | PROT_WRITE, MAP_SHARED, device.fd(), static_cast<off_t>(bar->fd_offset()));
  if (base == MAP_FAILED) return p2pd::ErrnoError("mmap", absl::StrCat(device.name(), " BAR ", index), errno);
  return Bar(static_cast<char*>(base), bar->size());
}

Bar::Bar(Bar&& other) noexcept : base_(std::exchange(other.base_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Bar& Bar::operator=(Bar&& other) noexcept {
  std::swap(base_, other.base_);
  std::swap(size_, other.size_);
  return *this;
}

Bar::~Bar() {
  if (base_ != nullptr) munmap(base_, size_);
}

uint32_t Bar::Read32(uint64_t offset) const { return *At<uint32_t>(base_, offset); }
uint64_t Bar::Read64(uint64_t offset) const { return *At<uint64_t>(base_, offset); }

void Bar::Write32(uint64_t offset, uint32_t value) {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  *At<uint32_t>(base_, offset) = value;
}

void Bar::Write64(uint64_t offset, uint64_t value) {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  *At<uint64_t>(base_, offset) = value;
}

void Bar::Load(uint64_t offset, absl::Span<uint64_t> words) const {
  const volatile uint64_t* from = At<uint64_t>(base_, offset);
  for (uint64_t& word : words) word = *from++;
}

void Bar::Store(uint64_t offset, absl::Span<const uint64_t> words) {
  volatile uint64_t* to = At<uint64_t>(base_, offset);
  for (const uint64_t word : words) *to++ = word;
}

absl::Status EnableDma(const p2p::Device& device) {
  const auto at = static_cast<off_t>(device.info().config_fd_offset() + kCommand);
  uint16_t command = 0;
  if (pread(device.fd(), &command, sizeof(command), at) != sizeof(command)) {
    return p2pd::ErrnoError("pread", absl::StrCat(device.name(), " COMMAND"), errno);
  }
  if ((command & kMemoryAndBusMaster) == kMemoryAndBusMaster) return absl::OkStatus();
  command |= kMemoryAndBusMaster;
  if (pwrite(device.fd(), &command, sizeof(command), at) != sizeof(command)) {
    return p2pd::ErrnoError("pwrite", absl::StrCat(device.name(), " COMMAND"), errno);
  }
  return absl::OkStatus();
}

}  // namespace demo
