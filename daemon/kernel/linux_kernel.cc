#include "daemon/kernel/linux_kernel.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "daemon/base/errors.h"
#include "daemon/kernel/linux_hints.h"
#include "daemon/kernel/memory_info.h"
#include "daemon/kernel/uapi.h"

namespace p2pd {
namespace {

// "0000:01:00.0", as the kernel tells it; "" of what is no device.
std::string AddressOf(FdRef device) {
  std::ifstream fdinfo(absl::StrCat("/proc/self/fdinfo/", device.get()));
  for (std::string line; std::getline(fdinfo, line);) {
    if (absl::StartsWith(line, "vfio-device-syspath:")) return line.substr(line.rfind('/') + 1);
  }
  return "";
}

// Asked only when there is an error to report.
std::string NameOf(FdRef device) {
  const std::string address = AddressOf(device);
  return address.empty() ? absl::StrCat("fd ", device.get()) : absl::StrCat("devices/", address);
}

std::string NameOf(IoasId ioas) { return absl::StrCat("ioas ", ioas.value()); }

// Runs one ioctl. Returns what it returned, or -errno.
int Call(FdRef fd, const uapi::IoctlNumber& ioctl_number, void* argument) {
  int result;
  do {
    result = ioctl(fd.get(), ioctl_number.request, argument);
  } while (result < 0 && errno == EINTR);
  return result < 0 ? -errno : result;
}

absl::Status IoctlError(const uapi::IoctlNumber& call, absl::string_view object, int error) {
  return ErrnoError(call.name, object, error, HintFor(call.name, error));
}

absl::Status CallOnDevice(FdRef device, const uapi::IoctlNumber& call, void* argument) {
  const int result = Call(device, call, argument);
  return result < 0 ? IoctlError(call, NameOf(device), -result) : absl::OkStatus();
}

absl::Status CallOnIoas(FdRef context, const uapi::IoctlNumber& call, void* argument, absl::string_view object) {
  const int result = Call(context, call, argument);
  return result < 0 ? IoctlError(call, object, -result) : absl::OkStatus();
}

absl::StatusOr<UniqueFd> OpenNode(const std::string& path, absl::string_view what) {
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd.valid()) return ErrnoError("open", path, errno, HintFor(what, errno));
  return fd;
}

// "vfio" and a number: what sysfs calls a device that an IOMMU confines.
bool IsConfinedCdev(absl::string_view cdev) {
  return absl::ConsumePrefix(&cdev, "vfio") && !cdev.empty() &&
         std::all_of(cdev.begin(), cdev.end(), [](char c) { return absl::ascii_isdigit(c); });
}

uint32_t MapFlags(Access access) {
  return uapi::kIoasMapFixedIova | (CanRead(access) ? uapi::kIoasMapReadable : 0) |
         (CanWrite(access) ? uapi::kIoasMapWriteable : 0);
}

// The kernel's ranges end with their last byte; a hole of all 2^64 bytes loses its last one here.
Range ToRange(const uapi::iommu_iova_range& range) {
  return {.start = range.start, .length = std::max(range.last - range.start, range.last - range.start + 1)};
}

// Takes the interrupts of one kind down. The kernel answers EINVAL when none of that kind is up.
absl::Status DisableIrqIndex(FdRef device, uint32_t index) {
  // Fails where SET_IRQS would fail for another reason: the device is not bound.
  uapi::vfio_irq_info info = {.argsz = sizeof(info), .flags = 0, .index = index, .count = 0};
  P2PD_RETURN_IF_ERROR(CallOnDevice(device, uapi::kGetIrqInfo, &info));
  uapi::vfio_irq_set set = {
      .argsz = sizeof(set),
      .flags = uapi::kIrqSetDataNone | uapi::kIrqSetActionTrigger,
      .index = index,
      .start = 0,
      .count = 0,
  };
  const int result = Call(device, uapi::kSetIrqs, &set);
  if (result < 0 && result != -EINVAL) return IoctlError(uapi::kSetIrqs, NameOf(device), -result);
  return absl::OkStatus();
}

HotResetMember ToMember(const uapi::vfio_pci_dependent_device& device) {
  return {.address = {.domain = device.segment,
                      .bus = device.bus,
                      .device = static_cast<uint8_t>(device.devfn >> 3),
                      .function = static_cast<uint8_t>(device.devfn & 7)},
          .owned = device.devid != uapi::kPciDevidNotOwned};
}

// A transfer to or from configuration space: `moved` is what pread or pwrite returned.
constexpr uint64_t kClearedAtOnce = 1 << 20;  // bytes

absl::Status ConfigResult(const char* call, FdRef device, uint64_t offset, size_t wanted, ssize_t moved) {
  const int error = moved < 0 ? errno : EIO;
  if (moved >= 0 && static_cast<size_t>(moved) == wanted) return absl::OkStatus();
  const std::string object =
      absl::StrCat(NameOf(device), " config ", Range{.start = offset, .length = wanted}.ToString());
  return ErrnoError(call, object, error, moved < 0 ? "" : absl::StrCat("only ", moved, " bytes came through"));
}

}  // namespace

absl::StatusOr<UniqueFd> LinuxKernel::OpenDevice(absl::string_view cdev) {
  if (!IsConfinedCdev(cdev)) {
    const ErrorInfo info = {
        .reason = Reason::kInvalidArgument,
        .step = "open",
        .object = std::string(cdev),
        .hint = "p2pd takes only vfioN; a noiommu device can reach all memory",
    };
    return MakeError(absl::StatusCode::kInvalidArgument, info, "not the character device of a confined device");
  }
  return OpenNode(absl::StrCat(dev_root_, "/vfio/devices/", cdev), "open device");
}

absl::Status LinuxKernel::BindDevice(FdRef device, FdRef context, const std::optional<VfToken>& token) {
  uapi::vfio_device_bind_iommufd args = {
      .argsz = sizeof(args),
      .flags = token.has_value() ? uapi::kBindFlagToken : 0,
      .iommufd = context.get(),
      .out_devid = 0,
      .token_uuid_ptr = token.has_value() ? reinterpret_cast<uintptr_t>(token->data()) : 0,
  };
  return CallOnDevice(device, uapi::kBindIommufd, &args);
}

absl::Status LinuxKernel::SetVfToken(FdRef device, const VfToken& token) {
  struct {
    uapi::vfio_device_feature feature;
    VfToken token;
  } args = {.feature = {.argsz = sizeof(args), .flags = uapi::kFeatureSet | uapi::kFeaturePciVfToken}, .token = token};
  return CallOnDevice(device, uapi::kVfTokenFeature, &args);
}

absl::StatusOr<DeviceInfo> LinuxKernel::GetDeviceInfo(FdRef device) {
  uapi::vfio_device_info info = {};
  info.argsz = sizeof(info);
  P2PD_RETURN_IF_ERROR(CallOnDevice(device, uapi::kGetInfo, &info));
  return DeviceInfo{.can_reset = (info.flags & uapi::kDeviceFlagsReset) != 0,
                    .num_regions = info.num_regions,
                    .address = PciAddress::Parse(AddressOf(device)).value_or(PciAddress())};
}

absl::StatusOr<RegionInfo> LinuxKernel::GetRegionInfo(FdRef device, int region) {
  uapi::vfio_region_info info = {};
  info.argsz = sizeof(info);
  info.index = static_cast<uint32_t>(region);
  P2PD_RETURN_IF_ERROR(CallOnDevice(device, uapi::kGetRegionInfo, &info));
  return RegionInfo{
      .size = info.size,
      .offset = info.offset,
      .readable = (info.flags & uapi::kRegionInfoFlagRead) != 0,
      .writable = (info.flags & uapi::kRegionInfoFlagWrite) != 0,
      .mappable = (info.flags & uapi::kRegionInfoFlagMmap) != 0,
  };
}

absl::Status LinuxKernel::ProbeExport(FdRef device) {
  uapi::vfio_device_feature args = {.argsz = sizeof(args),
                                    .flags = uapi::kFeatureProbe | uapi::kFeatureGet | uapi::kFeatureDmaBuf};
  return CallOnDevice(device, uapi::kDmaBufFeature, &args);
}

absl::StatusOr<UniqueFd> LinuxKernel::ExportDmaBuf(FdRef device, int bar, Range range) {
  struct {
    uapi::vfio_device_feature feature;
    uapi::vfio_device_feature_dma_buf dma_buf;
    uapi::vfio_region_dma_range range;
  } args = {
      .feature = {.argsz = sizeof(args), .flags = uapi::kFeatureGet | uapi::kFeatureDmaBuf},
      .dma_buf = {.region_index = static_cast<uint32_t>(bar),
                  .open_flags = O_RDWR | O_CLOEXEC,
                  .flags = 0,
                  .nr_ranges = 1},
      .range = {.offset = range.start, .length = range.length},
  };
  const int result = Call(device, uapi::kDmaBufFeature, &args);
  if (result >= 0) return UniqueFd(result);
  return IoctlError(uapi::kDmaBufFeature, absl::StrCat(NameOf(device), " BAR ", bar, " ", range.ToString()), -result);
}

absl::StatusOr<UniqueFd> LinuxKernel::ShareDmaBuf(FdRef dma_buf) { return Duplicate(dma_buf); }

absl::StatusOr<bool> LinuxKernel::IsShared(FdRef dma_buf) {
  const std::string path = absl::StrCat("/proc/self/fdinfo/", dma_buf.get());
  std::ifstream fdinfo(path);
  if (!fdinfo.is_open()) return ErrnoError("fdinfo", path, errno == ENOENT ? EBADF : errno);
  for (std::string line; std::getline(fdinfo, line);) {
    absl::string_view text = line;
    int64_t references = 0;
    if (absl::ConsumePrefix(&text, "count:") && absl::SimpleAtoi(text, &references)) return references > 1;
  }
  return ErrnoError("fdinfo", path, EINVAL, "it is no dma-buf");
}

absl::Status LinuxKernel::ResetDevice(FdRef device) { return CallOnDevice(device, uapi::kReset, nullptr); }

absl::StatusOr<HotResetInfo> LinuxKernel::GetHotResetInfo(FdRef device) {
  constexpr size_t kHeader = sizeof(uapi::vfio_pci_hot_reset_info);
  constexpr size_t kEntry = sizeof(uapi::vfio_pci_dependent_device);
  // Until everything fits: devices may come and go between two calls.
  for (std::vector<char> buffer(kHeader + kEntry);;) {
    uapi::vfio_pci_hot_reset_info header = {.argsz = static_cast<uint32_t>(buffer.size()), .flags = 0, .count = 0};
    memcpy(buffer.data(), &header, kHeader);
    const int result = Call(device, uapi::kGetPciHotResetInfo, buffer.data());
    if (result == -EAGAIN) continue;  // one came while it counted them
    if (result < 0 && result != -ENOSPC) return IoctlError(uapi::kGetPciHotResetInfo, NameOf(device), -result);
    memcpy(&header, buffer.data(), kHeader);
    if (result < 0) {
      buffer.assign(kHeader + header.count * kEntry, 0);
      continue;
    }
    std::vector<uapi::vfio_pci_dependent_device> devices(header.count);
    memcpy(devices.data(), buffer.data() + kHeader, header.count * kEntry);
    HotResetInfo info = {.members = {}, .all_owned = (header.flags & uapi::kPciHotResetFlagDevIdOwned) != 0};
    std::transform(devices.begin(), devices.end(), std::back_inserter(info.members), ToMember);
    std::sort(info.members.begin(), info.members.end());
    return info;
  }
}

absl::Status LinuxKernel::HotReset(FdRef device) {
  // No list of groups: what the device's own context owns.
  uapi::vfio_pci_hot_reset args = {.argsz = sizeof(args), .flags = 0, .count = 0};
  return CallOnDevice(device, uapi::kPciHotReset, &args);
}

absl::Status LinuxKernel::SetEventFd(FdRef device, DeviceSignal signal, std::optional<FdRef> eventfd) {
  if (eventfd.has_value() && eventfd->get() < 0) return IoctlError(uapi::kSetIrqs, NameOf(device), EBADF);
  struct {
    uapi::vfio_irq_set set;
    int32_t eventfd;
  } args = {
      .set = {.argsz = sizeof(args),
              .flags = uapi::kIrqSetDataEventfd | uapi::kIrqSetActionTrigger,
              .index = signal == DeviceSignal::kError ? uapi::kPciErrIrqIndex : uapi::kPciReqIrqIndex,
              .start = 0,
              .count = 1},
      .eventfd = eventfd.has_value() ? eventfd->get() : -1,
  };
  return CallOnDevice(device, uapi::kSetIrqs, &args);
}

absl::Status LinuxKernel::ReadConfig(FdRef device, uint64_t offset, absl::Span<uint8_t> bytes) {
  P2PD_ASSIGN_OR_RETURN(const RegionInfo config, GetRegionInfo(device, kConfigRegion));
  const ssize_t moved = pread(device.get(), bytes.data(), bytes.size(), config.offset + offset);
  return ConfigResult("pread", device, offset, bytes.size(), moved);
}

absl::Status LinuxKernel::WriteConfig(FdRef device, uint64_t offset, absl::Span<const uint8_t> bytes) {
  P2PD_ASSIGN_OR_RETURN(const RegionInfo config, GetRegionInfo(device, kConfigRegion));
  const ssize_t moved = pwrite(device.get(), bytes.data(), bytes.size(), config.offset + offset);
  return ConfigResult("pwrite", device, offset, bytes.size(), moved);
}

absl::Status LinuxKernel::ClearBar(FdRef device, int bar, Range range) {
  P2PD_ASSIGN_OR_RETURN(const RegionInfo region, GetRegionInfo(device, bar));
  const std::string object = absl::StrCat(NameOf(device), " BAR ", bar, " ", range.ToString());
  // The kernel would take what is beyond this BAR for the next one.
  if (range.start > region.size || range.length > region.size - range.start) {
    return ErrnoError("pwrite", object, EINVAL, "it is not within the BAR");
  }
  const std::vector<uint8_t> zeros(std::min(range.length, kClearedAtOnce));
  for (uint64_t done = 0; done < range.length;) {
    const size_t size = std::min<uint64_t>(zeros.size(), range.length - done);
    const ssize_t written = pwrite(device.get(), zeros.data(), size, region.offset + range.start + done);
    if (written <= 0) return ErrnoError("pwrite", object, written < 0 ? errno : EIO);
    done += static_cast<uint64_t>(written);
  }
  return absl::OkStatus();
}

absl::Status LinuxKernel::DisableInterrupts(FdRef device) {
  for (const uint32_t index : {uapi::kPciIntxIrqIndex, uapi::kPciMsiIrqIndex, uapi::kPciMsixIrqIndex}) {
    P2PD_RETURN_IF_ERROR(DisableIrqIndex(device, index));
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> LinuxKernel::OpenContext() {
  return OpenNode(absl::StrCat(dev_root_, "/iommu"), "open context");
}

absl::StatusOr<IoasId> LinuxKernel::AllocIoas(FdRef context) {
  uapi::iommu_ioas_alloc args = {.size = sizeof(args), .flags = 0, .out_ioas_id = 0};
  P2PD_RETURN_IF_ERROR(CallOnIoas(context, uapi::kIoasAlloc, &args, absl::StrCat("context fd ", context.get())));
  return IoasId(args.out_ioas_id);
}

absl::Status LinuxKernel::DestroyIoas(FdRef context, IoasId ioas) {
  uapi::iommu_destroy args = {.size = sizeof(args), .id = ioas.value()};
  return CallOnIoas(context, uapi::kDestroy, &args, NameOf(ioas));
}

absl::Status LinuxKernel::AttachDevice(FdRef device, IoasId ioas) {
  uapi::vfio_device_attach_iommufd_pt args = {.argsz = sizeof(args), .flags = 0, .pt_id = ioas.value(), .pasid = 0};
  const int result = Call(device, uapi::kAttachIommufdPt, &args);
  if (result >= 0) return absl::OkStatus();
  return IoctlError(uapi::kAttachIommufdPt, absl::StrCat(NameOf(device), " to ", NameOf(ioas)), -result);
}

absl::Status LinuxKernel::DetachDevice(FdRef device) {
  uapi::vfio_device_detach_iommufd_pt args = {.argsz = sizeof(args), .flags = 0, .pasid = 0};
  return CallOnDevice(device, uapi::kDetachIommufdPt, &args);
}

absl::StatusOr<IovaLayout> LinuxKernel::GetIovaLayout(FdRef context, IoasId ioas) {
  // Grows until everything fits: the layout may change between two calls.
  for (std::vector<uapi::iommu_iova_range> ranges(8);;) {
    uapi::iommu_ioas_iova_ranges args = {
        .size = sizeof(args),
        .ioas_id = ioas.value(),
        .num_iovas = static_cast<uint32_t>(ranges.size()),
        .reserved = 0,
        .allowed_iovas = reinterpret_cast<uintptr_t>(ranges.data()),
        .out_iova_alignment = 0,
    };
    const int result = Call(context, uapi::kIoasIovaRanges, &args);
    if (result < 0 && result != -EMSGSIZE) return IoctlError(uapi::kIoasIovaRanges, NameOf(ioas), -result);
    const bool fits = result >= 0;
    ranges.resize(args.num_iovas);
    if (!fits) continue;
    IovaLayout layout = {.usable = {}, .alignment = args.out_iova_alignment};
    std::transform(ranges.begin(), ranges.end(), std::back_inserter(layout.usable), ToRange);
    return layout;
  }
}

absl::Status LinuxKernel::MapFile(FdRef context, const MapRequest& map) {
  uapi::iommu_ioas_map_file args = {
      .size = sizeof(args),
      .flags = MapFlags(map.access),
      .ioas_id = map.ioas.value(),
      .fd = map.file.get(),
      .start = map.offset,
      .length = map.iova.length,
      .iova = map.iova.start,
  };
  const int result = Call(context, uapi::kIoasMapFile, &args);
  if (result >= 0) return absl::OkStatus();
  return IoctlError(uapi::kIoasMapFile, absl::StrCat(NameOf(map.ioas), " ", map.iova.ToString()), -result);
}

absl::Status LinuxKernel::Unmap(FdRef context, IoasId ioas, Range iova) {
  uapi::iommu_ioas_unmap args = {
      .size = sizeof(args), .ioas_id = ioas.value(), .iova = iova.start, .length = iova.length};
  const int result = Call(context, uapi::kIoasUnmap, &args);
  if (result >= 0) return absl::OkStatus();
  return IoctlError(uapi::kIoasUnmap, absl::StrCat(NameOf(ioas), " ", iova.ToString()), -result);
}

absl::StatusOr<MemoryInfo> LinuxKernel::InspectMemory(FdRef file) { return InspectFile(file); }

absl::Status LinuxKernel::PrepareMemory(FdRef file, Range range) { return PopulateFile(file, range); }

}  // namespace p2pd
