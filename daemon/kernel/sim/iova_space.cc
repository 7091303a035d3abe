#include "daemon/kernel/sim/iova_space.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "daemon/base/errors.h"

namespace p2pd::sim {
namespace {

constexpr Range kBeyondAperture = {.start = kApertureEnd, .length = UINT64_MAX - kApertureEnd + 1};

// Whether the system could pin the area's pages, which it tries once a device is attached.
bool Pinnable(const Area& area) {
  if (area.dma_buf != nullptr) return true;
  struct stat status = {};
  if (!area.file->is_memory || fstat(area.file->fd.get(), &status) != 0) return false;
  return area.offset + (area.iova.length - 1) < static_cast<uint64_t>(status.st_size);
}

bool Aligned(const Area& area, uint64_t alignment) {
  const uint64_t offset_in_page = area.offset % kPageSize;
  return ((area.iova.start | area.iova.length | offset_in_page) & (alignment - 1)) == 0;
}

}  // namespace

IovaSpace::Areas::const_iterator IovaSpace::FirstIn(const Range& range) const {
  auto it = areas_.upper_bound(range.start);
  if (it != areas_.begin() && std::prev(it)->second.iova.last() >= range.start) return std::prev(it);
  return it != areas_.end() && it->first <= range.last() ? it : areas_.end();
}

std::vector<Range> IovaSpace::Reserved() const {
  if (!attached()) return {};
  return {kMsiWindow, kBeyondAperture};
}

absl::StatusOr<UniqueFd> DmaBuf::OpenAgain() {
  P2PD_ASSIGN_OR_RETURN(UniqueFd fd, file.Open(handles.back() + 1));
  handles.push_back(handles.back() + 1);
  return fd;
}

bool DmaBuf::IsOpen() const {
  return std::any_of(handles.begin(), handles.end(), [&](uint64_t handle) { return file.IsOpen(handle); });
}

bool DmaBuf::IsOpenBeside(FdRef fd) const {
  return std::any_of(handles.begin(), handles.end(),
                     [&](uint64_t handle) { return file.IsOpen(handle) && !file.IsHandle(fd, handle); });
}

int IovaSpace::Map(Area area) {
  const Range& iova = area.iova;
  if (iova.length == 0 || !Aligned(area, alignment())) return EINVAL;
  if (!iova.Valid()) return EOVERFLOW;
  for (const Range& reserved : Reserved()) {
    if (reserved.Overlaps(iova)) return EINVAL;
  }
  if (FirstIn(iova) != areas_.end()) return EEXIST;
  if (attached() && !Pinnable(area)) return EINVAL;
  areas_.emplace(iova.start, std::move(area));
  return 0;
}

int IovaSpace::Unmap(Range iova) {
  if (iova == Range{.start = 0, .length = UINT64_MAX}) {
    areas_.clear();
    return 0;
  }
  if (iova.length == 0) return EINVAL;
  if (iova.start == UINT64_MAX || iova.length == UINT64_MAX || !iova.Valid()) return EOVERFLOW;
  bool any = false;
  for (auto it = FirstIn(iova); it != areas_.end() && it->first <= iova.last();) {
    if (!iova.Contains(it->second.iova)) return ENOENT;
    it = areas_.erase(it);
    any = true;
  }
  return any ? 0 : ENOENT;
}

int IovaSpace::Attach(const Device* device) {
  if (FirstIn(kMsiWindow) != areas_.end()) return EADDRINUSE;
  if (!attached()) {
    for (const auto& [start, area] : areas_) {
      if (!Aligned(area, kPageSize) || area.iova.last() >= kApertureEnd) return EADDRINUSE;
    }
    for (const auto& [start, area] : areas_) {
      if (!Pinnable(area)) return EINVAL;
    }
  }
  attached_.push_back(device);
  return 0;
}

void IovaSpace::Detach(const Device* device) {
  attached_.erase(std::remove(attached_.begin(), attached_.end(), device), attached_.end());
}

void IovaSpace::Revoke(const Device& exporter) {
  for (auto& [start, area] : areas_) {
    if (area.dma_buf != nullptr && area.dma_buf->device == &exporter) area.dead = true;
  }
}

const Area* IovaSpace::At(uint64_t iova) const {
  const auto it = FirstIn({.start = iova, .length = 1});
  return it == areas_.end() ? nullptr : &it->second;
}

std::vector<Range> IovaSpace::Usable() const {
  if (!attached()) return {{.start = 0, .length = UINT64_MAX}};
  return {
      {.start = 0, .length = kMsiWindow.start},
      {.start = kMsiWindow.last() + 1, .length = kApertureEnd - kMsiWindow.last() - 1},
  };
}

}  // namespace p2pd::sim
