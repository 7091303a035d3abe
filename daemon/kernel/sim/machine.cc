#include "daemon/kernel/sim/machine.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"

namespace p2pd::sim {
namespace {

std::string WindowName(const Device& device, int bar, const Range& range) {
  return absl::StrCat(device.name(), " BAR ", bar, " ", range.ToString());
}

}  // namespace

absl::StatusOr<std::unique_ptr<Machine>> Machine::Create(std::vector<DeviceSpec> specs) {
  auto machine = std::make_unique<Machine>();
  for (const DeviceSpec& spec : specs) {
    P2PD_ASSIGN_OR_RETURN(std::unique_ptr<Device> device, Device::Create(spec));
    machine->devices_by_file_[device->file().file().id()] = device.get();
    machine->devices_.push_back(std::move(device));
  }
  return machine;
}

void Machine::CatchUp() {
  for (const auto& device : devices_) {
    if (!device->bound() || device->resetting) continue;
    if (device->closed()) {
      CloseDevice(*device);
    } else if (device->ConfigTouched()) {
      ApplyConfigWrite(*device, 0, device->file().config().first(device->config().size()));
    }
  }
  CatchUpWithDepartures();
  std::erase_if(contexts_, [this](const auto& entry) {
    const Context& context = *entry.second;
    for (const auto& device : devices_) {
      if (device->context == &context) return false;
    }
    return !context.file.IsOpen(Context::kHandle);
  });
}

bool Machine::IsOurs(FdRef fd) const {
  const std::optional<FileId> id = Identify(fd);
  return id.has_value() && (devices_by_file_.contains(*id) || contexts_.contains(*id) || dma_bufs_.contains(*id));
}

absl::StatusOr<Device*> Machine::DeviceOf(FdRef fd, absl::string_view call) {
  const std::optional<FileId> id = Identify(fd);
  if (!id.has_value()) return ErrnoError(call, "", EBADF);
  const auto it = devices_by_file_.find(*id);
  if (it == devices_by_file_.end()) return ErrnoError(call, "", ENOTTY, "this descriptor is no VFIO device");
  return it->second;
}

absl::StatusOr<Device*> Machine::BoundDeviceOf(FdRef fd, absl::string_view call) {
  P2PD_ASSIGN_OR_RETURN(Device* const device, DeviceOf(fd, call));
  if (!device->IsBound(fd)) return ErrnoError(call, device->name(), EINVAL, "this open of the device is not bound");
  return device;
}

Device* Machine::Find(const PciAddress& address) {
  for (const auto& device : devices_) {
    if (device->spec().address == address) return device.get();
  }
  return nullptr;
}

absl::StatusOr<UniqueFd> Machine::OpenDevice(absl::string_view cdev) {
  const std::string path = absl::StrCat("/dev/vfio/devices/", cdev);
  if (absl::StartsWith(cdev, "noiommu-")) return ErrnoError("open", path, EINVAL, "p2pd uses no device without IOMMU");
  for (const auto& device : devices_) {
    if (device->presence() == Presence::kBound && device->cdev() == cdev) return device->Open();
  }
  return ErrnoError("open", path, ENOENT);
}

std::vector<Device*> Machine::VirtualFunctionsOf(const Device& device) const {
  std::vector<Device*> functions;
  for (const auto& other : devices_) {
    if (other->spec().physical_function == device.spec().address) functions.push_back(other.get());
  }
  return functions;
}

int Machine::CheckToken(Device& device, const std::optional<VfToken>& token) {
  if (device.spec().physical_function.has_value()) {
    return token.has_value() && Find(*device.spec().physical_function)->vf_token == token ? 0 : EACCES;
  }
  const std::vector<Device*> functions = VirtualFunctionsOf(device);
  if (functions.empty()) return token.has_value() ? EINVAL : 0;
  const bool used = std::any_of(functions.begin(), functions.end(), [](const Device* f) { return f->bound(); });
  if (used) return token.has_value() && device.vf_token == token ? 0 : EACCES;
  if (token.has_value()) device.vf_token = token;
  return 0;
}

absl::Status Machine::SetVfToken(FdRef fd, const VfToken& token) {
  constexpr char kCall[] = "VFIO_DEVICE_FEATURE_PCI_VF_TOKEN";
  P2PD_ASSIGN_OR_RETURN(Device* const device, BoundDeviceOf(fd, kCall));
  if (VirtualFunctionsOf(*device).empty()) return ErrnoError(kCall, device->name(), ENOTTY);
  device->vf_token = token;
  return absl::OkStatus();
}

absl::Status Machine::BindDevice(FdRef fd, FdRef context_fd, const std::optional<VfToken>& token) {
  constexpr char kCall[] = "VFIO_DEVICE_BIND_IOMMUFD";
  P2PD_ASSIGN_OR_RETURN(Device* const device, DeviceOf(fd, kCall));
  const auto fail = [&](int error) { return ErrnoError(kCall, device->name(), error); };
  const std::optional<uint64_t> handle = device->HandleOf(fd);
  if (!handle.has_value() || device->IsBound(fd)) return fail(EINVAL);
  if (const int error = CheckToken(*device, token); error != 0) return fail(error);
  const std::optional<FileId> context_id = Identify(context_fd);
  if (!context_id.has_value()) return fail(EBADF);
  const auto context = contexts_.find(*context_id);
  if (context == contexts_.end()) return fail(EBADFD);
  if (device->bound()) return fail(EINVAL);
  for (const auto& other : devices_) {
    const bool foreign = other->context != nullptr && other->context != context->second.get();
    if (foreign && other->spec().iommu_group == device->spec().iommu_group) return fail(EPERM);
  }
  // The function reset of a bind needs the lock that whoever removes the device holds.
  if (device->presence() != Presence::kBound) return fail(EAGAIN);
  device->Enable();
  device->set_bound(*handle);
  device->context = context->second.get();
  return absl::OkStatus();
}

void Machine::CloseDevice(Device& device) {
  Revoke(device);
  for (const auto& [id, dma_buf] : dma_bufs_) {
    if (dma_buf->device == &device) dma_buf->device = nullptr;
  }
  if (device.space != nullptr) device.space->Detach(&device);
  device.space = nullptr;
  device.Disable();
  ResetSetAfterClose(device);
}

void Machine::Revoke(Device& device) {
  for (const auto& [id, context] : contexts_) {
    for (auto& [ioas, space] : context->spaces) space.Revoke(device);
  }
  for (const auto& [id, dma_buf] : dma_bufs_) {
    if (dma_buf->device == &device) dma_buf->revoked = true;
  }
}

void Machine::Restore(Device& device) {
  if (!device.config().memory_enabled()) return;
  for (const auto& [id, dma_buf] : dma_bufs_) {
    if (dma_buf->device == &device) dma_buf->revoked = false;
  }
}

absl::StatusOr<DeviceInfo> Machine::GetDeviceInfo(FdRef fd) {
  P2PD_ASSIGN_OR_RETURN(Device* const device, BoundDeviceOf(fd, "VFIO_DEVICE_GET_INFO"));
  return DeviceInfo{.can_reset = device->can_reset(), .num_regions = 9, .address = device->spec().address};
}

absl::StatusOr<RegionInfo> Machine::GetRegionInfo(FdRef fd, int region) {
  constexpr char kCall[] = "VFIO_DEVICE_GET_REGION_INFO";
  P2PD_ASSIGN_OR_RETURN(Device* const device, BoundDeviceOf(fd, kCall));
  if (region == kConfigRegion) {
    return RegionInfo{
        .size = device->config().size(), .offset = RegionOffset(region), .readable = true, .writable = true};
  }
  if (region < 0 || region >= kNumBars) {
    return ErrnoError(kCall, absl::StrCat(device->name(), " region ", region), EINVAL);
  }
  const BarSpec& bar = device->spec().bars[region];
  if (bar.size == 0) return RegionInfo{.offset = RegionOffset(region)};
  return RegionInfo{
      .size = bar.size,
      .offset = RegionOffset(region),
      .readable = true,
      .writable = true,
      .mappable = !bar.io && (bar.size >= kPageSize || bar.address % kPageSize == 0),
  };
}

absl::Status Machine::ProbeExport(FdRef fd) { return BoundDeviceOf(fd, "VFIO_DEVICE_FEATURE_DMA_BUF").status(); }

absl::StatusOr<UniqueFd> Machine::ExportDmaBuf(FdRef fd, int bar, Range range) {
  constexpr char kCall[] = "VFIO_DEVICE_FEATURE_DMA_BUF";
  P2PD_ASSIGN_OR_RETURN(Device* const device, BoundDeviceOf(fd, kCall));
  const auto fail = [&](int error) { return ErrnoError(kCall, WindowName(*device, bar, range), error); };
  if (bar < 0 || bar >= kNumBars || device->spec().bars[bar].size == 0) return fail(ENODEV);
  const BarSpec& spec = device->spec().bars[bar];
  if (range.length == 0 || (range.start | range.length) % kPageSize != 0 || range.length >> 63 != 0) {
    return fail(EINVAL);
  }
  if (spec.io) return fail(EINVAL);
  // The system adds up physical addresses, and their end is one past the last byte.
  if (range.start > UINT64_MAX - spec.address || range.length > UINT64_MAX - spec.address - range.start) {
    return fail(EOVERFLOW);
  }
  if (range.last() >= spec.size) return fail(EINVAL);

  ForgetClosedDmaBufs();
  P2PD_ASSIGN_OR_RETURN(TrackedFile file, TrackedFile::Create("p2pd-sim-dmabuf", range.length));
  constexpr uint64_t kFirstOpen = 0;
  P2PD_ASSIGN_OR_RETURN(UniqueFd dma_buf_fd, file.Open(kFirstOpen));
  const FileId id = file.id();
  dma_bufs_[id] = std::make_shared<DmaBuf>(DmaBuf{
      .file = std::move(file),
      .handles = {kFirstOpen},
      .device = device,
      .bar = bar,
      .range = range,
      .revoked = !device->config().memory_enabled() || device->resetting,
  });
  return dma_buf_fd;
}

absl::StatusOr<UniqueFd> Machine::ShareDmaBuf(FdRef fd) {
  constexpr char kCall[] = "F_DUPFD_CLOEXEC";
  const auto id = Identify(fd);
  const auto found = id.has_value() ? dma_bufs_.find(*id) : dma_bufs_.end();
  if (found == dma_bufs_.end()) return ErrnoError(kCall, absl::StrCat("fd ", fd.get()), EBADF);
  // An open of its own, because the system tells only opens apart.
  return found->second->OpenAgain();
}

absl::StatusOr<bool> Machine::IsShared(FdRef fd) {
  const auto id = Identify(fd);
  const auto found = id.has_value() ? dma_bufs_.find(*id) : dma_bufs_.end();
  if (found == dma_bufs_.end()) {
    return ErrnoError("fdinfo", absl::StrCat("/proc/self/fdinfo/", fd.get()), id.has_value() ? EINVAL : EBADF);
  }
  return found->second.use_count() > 1 || found->second->IsOpenBeside(fd);
}

void Machine::ForgetClosedDmaBufs() {
  if (dma_bufs_.size() < 2 * dma_bufs_after_cleanup_ + 16) return;
  std::erase_if(dma_bufs_, [](const auto& entry) {
    // An area holds the dma-buf as an open descriptor would.
    return entry.second.use_count() == 1 && !entry.second->IsOpen();
  });
  dma_bufs_after_cleanup_ = dma_bufs_.size();
}

absl::Status Machine::ReadConfig(FdRef fd, uint64_t offset, absl::Span<uint8_t> bytes) {
  P2PD_ASSIGN_OR_RETURN(Device* const device, BoundDeviceOf(fd, "pread"));
  const uint64_t size = device->config().size();
  if (offset >= size || bytes.size() > size - offset) {
    return ErrnoError("pread", absl::StrCat(device->name(), " config ", offset), EFAULT);
  }
  if (!device->answers()) {
    device->config().ReadAbsent(offset, bytes);
    return absl::OkStatus();
  }
  const absl::Span<const uint8_t> config = device->config().bytes().subspan(offset, bytes.size());
  std::copy(config.begin(), config.end(), bytes.begin());
  return absl::OkStatus();
}

absl::Status Machine::WriteConfig(FdRef fd, uint64_t offset, absl::Span<const uint8_t> bytes) {
  P2PD_ASSIGN_OR_RETURN(Device* const device, BoundDeviceOf(fd, "pwrite"));
  const uint64_t size = device->config().size();
  if (offset >= size || bytes.size() > size - offset) {
    return ErrnoError("pwrite", absl::StrCat(device->name(), " config ", offset), EFAULT);
  }
  ApplyConfigWrite(*device, offset, bytes);
  return absl::OkStatus();
}

void Machine::ApplyConfigWrite(Device& device, uint64_t offset, absl::Span<const uint8_t> bytes) {
  const bool to_command = offset <= kCommandOffset && kCommandOffset - offset < bytes.size();
  if (to_command && (bytes[kCommandOffset - offset] & kCommandMemory) == 0) Revoke(device);
  const bool reset_asked = device.config().Write(offset, bytes);
  if (to_command) Restore(device);
  if (reset_asked && device.spec().resettable) {
    Revoke(device);
    device.ResetFunction();
    Restore(device);
  }
  device.PublishConfig();
}

absl::Status Machine::ClearBar(FdRef fd, int bar, Range range) {
  P2PD_ASSIGN_OR_RETURN(Device* const device, BoundDeviceOf(fd, "pwrite"));
  const std::string object = absl::StrCat(device->name(), " BAR ", bar, " ", range.ToString());
  const uint64_t size = bar >= 0 && bar < kNumBars ? device->spec().bars[bar].size : 0;
  if (range.start > size || range.length > size - range.start) return ErrnoError("pwrite", object, EINVAL);
  if (!device->config().memory_enabled()) return ErrnoError("pwrite", object, EIO);
  if (device->model() == nullptr || device->model()->Answers(bar)) device->file().Clear(bar, range);
  return absl::OkStatus();
}

absl::Status Machine::DisableInterrupts(FdRef fd) { return BoundDeviceOf(fd, "VFIO_DEVICE_SET_IRQS").status(); }

absl::StatusOr<Device*> Machine::BeginReset(FdRef fd) {
  constexpr char kCall[] = "VFIO_DEVICE_RESET";
  P2PD_ASSIGN_OR_RETURN(Device* const device, BoundDeviceOf(fd, kCall));
  if (!device->can_reset()) return ErrnoError(kCall, device->name(), EINVAL);
  Revoke(*device);
  device->resetting = true;
  return device;
}

absl::Status Machine::FinishReset(Device& device, int error) {
  if (error == 0 && device.presence() != Presence::kBound) error = EAGAIN;
  if (error == 0 && !device.has_reset_method()) error = ENOTTY;
  if (error == 0) {
    device.ResetFunction();
    for (Device* const function : VirtualFunctionsOf(device)) function->ResetWithPhysicalFunction();
  }
  device.resetting = false;
  Restore(device);
  if (error != 0) return ErrnoError("VFIO_DEVICE_RESET", device.name(), error);
  return absl::OkStatus();
}

bool Machine::Resetting(FdRef fd) {
  const std::optional<FileId> id = Identify(fd);
  if (!id.has_value()) return false;
  const auto it = devices_by_file_.find(*id);
  return it != devices_by_file_.end() && it->second->resetting;
}

}  // namespace p2pd::sim
