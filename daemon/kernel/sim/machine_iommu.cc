// The machine's iommufd: contexts, IOVA spaces, which device is attached to which, and what is mapped there.
#include <fcntl.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/kernel/memory_info.h"
#include "daemon/kernel/sim/machine.h"

namespace p2pd::sim {
namespace {

constexpr uint64_t kMaxPages = UINT32_MAX;

std::string IoasName(IoasId ioas) { return absl::StrCat("ioas ", ioas.value()); }

// The client's file, held as the system would hold it: by its open file description. A descriptor that
// cannot write is opened anew where the mapping can, as the system does not look at a file's mode.
absl::StatusOr<UniqueFd> Hold(FdRef file, Access access) {
  const int flags = fcntl(file.get(), F_GETFL);
  if (CanWrite(access) && flags >= 0 && (flags & O_ACCMODE) == O_RDONLY) {
    const std::string path = absl::StrCat("/proc/self/fd/", file.get());
    UniqueFd writable(open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (writable.valid()) return writable;
  }
  return Duplicate(file);
}

}  // namespace

absl::StatusOr<UniqueFd> Machine::OpenContext() {
  P2PD_ASSIGN_OR_RETURN(TrackedFile file, TrackedFile::Create("p2pd-sim-iommu", 0));
  P2PD_ASSIGN_OR_RETURN(UniqueFd fd, file.Open(Context::kHandle));
  const FileId id = file.id();
  contexts_[id] = std::make_unique<Context>(Context{.file = std::move(file)});
  return fd;
}

absl::StatusOr<Context*> Machine::ContextOf(FdRef fd, absl::string_view call) {
  const std::optional<FileId> id = Identify(fd);
  if (!id.has_value()) return ErrnoError(call, "", EBADF);
  const auto it = contexts_.find(*id);
  if (it == contexts_.end()) return ErrnoError(call, "", ENOTTY, "this descriptor is no iommufd");
  return it->second.get();
}

absl::StatusOr<IovaSpace*> Machine::SpaceOf(FdRef fd, IoasId ioas, absl::string_view call) {
  P2PD_ASSIGN_OR_RETURN(Context* const context, ContextOf(fd, call));
  const auto it = context->spaces.find(ioas);
  if (it == context->spaces.end()) return ErrnoError(call, IoasName(ioas), ENOENT);
  return &it->second;
}

absl::StatusOr<IoasId> Machine::AllocIoas(FdRef fd) {
  P2PD_ASSIGN_OR_RETURN(Context* const context, ContextOf(fd, "IOMMU_IOAS_ALLOC"));
  const IoasId id(++context->last_id);
  context->spaces.try_emplace(id);
  return id;
}

absl::Status Machine::DestroyIoas(FdRef fd, IoasId ioas) {
  constexpr char kCall[] = "IOMMU_DESTROY";
  P2PD_ASSIGN_OR_RETURN(Context* const context, ContextOf(fd, kCall));
  const auto it = context->spaces.find(ioas);
  if (it == context->spaces.end()) return ErrnoError(kCall, IoasName(ioas), ENOENT);
  if (it->second.attached()) return ErrnoError(kCall, IoasName(ioas), EBUSY);
  context->spaces.erase(it);
  return absl::OkStatus();
}

IovaSpace* Machine::SpaceOfGroup(uint32_t group) const {
  for (const auto& device : devices_) {
    if (device->spec().iommu_group == group && device->space != nullptr) return device->space;
  }
  return nullptr;
}

int Machine::MoveGroup(uint32_t group, IovaSpace& from, IovaSpace& to) {
  std::vector<Device*> moved;
  for (const auto& device : devices_) {
    if (device->spec().iommu_group != group || device->space != &from) continue;
    if (const int error = to.Attach(device.get()); error != 0) {
      for (Device* const undone : moved) to.Detach(undone);
      return error;
    }
    moved.push_back(device.get());
  }
  for (Device* const device : moved) {
    from.Detach(device);
    device->space = &to;
  }
  return 0;
}

absl::Status Machine::AttachDevice(FdRef fd, IoasId ioas) {
  constexpr char kCall[] = "VFIO_DEVICE_ATTACH_IOMMUFD_PT";
  P2PD_ASSIGN_OR_RETURN(Device* const device, BoundDeviceOf(fd, kCall));
  const auto fail = [&](int error) {
    return ErrnoError(kCall, absl::StrCat(device->name(), " to ", IoasName(ioas)), error);
  };
  const auto it = device->context->spaces.find(ioas);
  if (it == device->context->spaces.end()) return fail(ENOENT);
  IovaSpace& space = it->second;
  const uint32_t group = device->spec().iommu_group;
  if (device->space == &space) return absl::OkStatus();
  if (device->space != nullptr) {
    // A replacement moves the whole group: it has one page table.
    const int error = MoveGroup(group, *device->space, space);
    return error == 0 ? absl::OkStatus() : fail(error);
  }
  if (IovaSpace* const others = SpaceOfGroup(group); others != nullptr && others != &space) return fail(EINVAL);
  if (const int error = space.Attach(device); error != 0) return fail(error);
  device->space = &space;
  return absl::OkStatus();
}

absl::Status Machine::DetachDevice(FdRef fd) {
  P2PD_ASSIGN_OR_RETURN(Device* const device, BoundDeviceOf(fd, "VFIO_DEVICE_DETACH_IOMMUFD_PT"));
  if (device->space != nullptr) device->space->Detach(device);
  device->space = nullptr;
  return absl::OkStatus();
}

absl::StatusOr<IovaLayout> Machine::GetIovaLayout(FdRef fd, IoasId ioas) {
  P2PD_ASSIGN_OR_RETURN(IovaSpace* const space, SpaceOf(fd, ioas, "IOMMU_IOAS_IOVA_RANGES"));
  return IovaLayout{.usable = space->Usable(), .alignment = space->alignment()};
}

absl::Status Machine::MapFile(FdRef fd, const MapRequest& map) {
  constexpr char kCall[] = "IOMMU_IOAS_MAP_FILE";
  P2PD_ASSIGN_OR_RETURN(Context* const context, ContextOf(fd, kCall));
  const auto fail = [&](int error) {
    return ErrnoError(kCall, absl::StrCat(IoasName(map.ioas), " ", map.iova.ToString()), error);
  };
  if (map.iova.start == UINT64_MAX || map.iova.length == UINT64_MAX) return fail(EOVERFLOW);
  const auto space = context->spaces.find(map.ioas);
  if (space == context->spaces.end()) return fail(ENOENT);
  if (map.iova.length == 0) return fail(EINVAL);
  if (!Range{.start = map.offset, .length = map.iova.length}.Valid()) return fail(EOVERFLOW);
  absl::StatusOr<Area> area = MakeArea(map);
  if (!area.ok()) return fail(GetErrorInfo(area.status()).error);
  const int error = space->second.Map(*std::move(area));
  return error == 0 ? absl::OkStatus() : fail(error);
}

absl::StatusOr<Area> Machine::MakeArea(const MapRequest& map) {
  const auto fail = [](int error) { return ErrnoError("IOMMU_IOAS_MAP_FILE", "", error); };
  const std::optional<FileId> id = Identify(map.file);
  if (!id.has_value()) return fail(EBADF);
  Area area = {.iova = map.iova, .offset = map.offset, .access = map.access};
  if (const auto it = dma_bufs_.find(*id); it != dma_bufs_.end()) {
    const std::shared_ptr<DmaBuf>& dma_buf = it->second;
    const uint64_t size = dma_buf->range.length;
    if (map.offset + (map.iova.length - 1) >= size || map.iova.length / kPageSize >= kMaxPages) return fail(EINVAL);
    if (dma_buf->revoked) return fail(ENODEV);
    area.dma_buf = dma_buf;
    return area;
  }
  if (map.iova.length > UINT64_MAX - kPageSize) return fail(EINVAL);
  P2PD_ASSIGN_OR_RETURN(const MemoryInfo memory, InspectMemory(map.file));
  P2PD_ASSIGN_OR_RETURN(UniqueFd held, Hold(map.file, map.access));
  area.file = std::make_shared<ClientFile>(ClientFile{.fd = std::move(held), .is_memory = memory.is_memfd});
  return area;
}

absl::Status Machine::Unmap(FdRef fd, IoasId ioas, Range iova) {
  constexpr char kCall[] = "IOMMU_IOAS_UNMAP";
  P2PD_ASSIGN_OR_RETURN(IovaSpace* const space, SpaceOf(fd, ioas, kCall));
  const int error = space->Unmap(iova);
  if (error != 0) return ErrnoError(kCall, absl::StrCat(IoasName(ioas), " ", iova.ToString()), error);
  return absl::OkStatus();
}

absl::StatusOr<MemoryInfo> Machine::InspectMemory(FdRef file) const {
  P2PD_ASSIGN_OR_RETURN(MemoryInfo info, InspectFile(file));
  // A device, a context and a dma-buf are no memory to anybody, whatever this simulation makes them of.
  if (IsOurs(file)) return MemoryInfo{.size = info.size, .writable = info.writable};
  return info;
}

}  // namespace p2pd::sim
