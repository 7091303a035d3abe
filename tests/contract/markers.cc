#include "tests/contract/markers.h"

#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"

namespace p2pd::contract {
namespace {

constexpr uint64_t kMarker = 0x6b72616d00000000;

// edu's registers and buffer.
constexpr off_t kSource = 0x80;
constexpr off_t kDestination = 0x88;
constexpr off_t kCount = 0x90;
constexpr off_t kStart = 0x98;
constexpr uint64_t kRun = 1;
constexpr uint64_t kToMemory = 2;
constexpr uint64_t kBuffer = 0x40000;

bool Transfer(World& world, FdRef engine, off_t registers, uint64_t source, uint64_t destination, uint64_t command) {
  for (const auto& [at, value] : {std::pair<off_t, uint64_t>{kSource, source},
                                  {kDestination, destination},
                                  {kCount, sizeof(uint64_t)},
                                  {kStart, command}}) {
    if (pwrite(engine.get(), &value, sizeof(value), registers + at) != sizeof(value)) return false;
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  for (uint64_t state = kRun; (state & kRun) != 0; world.Settle()) {
    if (pread(engine.get(), &state, sizeof(state), registers + kStart) != sizeof(state)) return false;
    if (std::chrono::steady_clock::now() > deadline) return false;
  }
  return true;
}

}  // namespace

UniqueFd NewMarkedMemory(uint64_t whose) {
  UniqueFd fd(memfd_create("walk", MFD_CLOEXEC));
  if (ftruncate(fd.get(), kMarkedPages * kPage) != 0) abort();
  MarkPages(fd, 0, whose);
  return fd;
}

void MarkPages(FdRef fd, uint64_t offset, uint64_t whose) {
  for (uint64_t page = 0; page < kMarkedPages; ++page) {
    const uint64_t marker = kMarker | whose << 16 | page;
    if (pwrite(fd.get(), &marker, sizeof(marker), static_cast<off_t>(offset + page * kPage)) < 0) return;
  }
}

std::string FetchMarker(World& world, FdRef engine, uint64_t iova, uint64_t scratch_iova, FdRef scratch) {
  const absl::StatusOr<RegionInfo> region = world.kernel().GetRegionInfo(engine, 0);
  const uint8_t command[2] = {6, 0};  // memory decode and bus mastering
  if (!region.ok() || !world.kernel().WriteConfig(engine, 4, command).ok()) return "no engine";
  const auto registers = static_cast<off_t>(region->offset);
  // The scratch page's own mark, first: what the engine held before must not pass for what it fetched.
  constexpr uint64_t kAnswer = 512;
  if (!Transfer(world, engine, registers, scratch_iova, kBuffer, kRun) ||
      !Transfer(world, engine, registers, iova, kBuffer, kRun) ||
      !Transfer(world, engine, registers, kBuffer, scratch_iova + kAnswer, kRun | kToMemory)) {
    return "the engine does not answer";
  }
  uint64_t value = 0;
  if (pread(scratch.get(), &value, sizeof(value), kAnswer) != sizeof(value)) return "no scratch page";
  const uint64_t whose = value >> 16 & 0xffff;
  if ((value & 0xffffffff00000000) != kMarker || whose == 0) return "nothing";
  return absl::StrCat("page ", value & 0xffff, " of ", whose);
}

}  // namespace p2pd::contract
