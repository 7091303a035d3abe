#include "daemon/device/vfio_device.h"

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"

namespace p2pd {

std::vector<Range> RunsBetween(uint64_t size, std::vector<Range> holes) {
  std::sort(holes.begin(), holes.end());
  std::vector<Range> runs;
  uint64_t at = 0;
  const uint64_t end = size / kPageSize * kPageSize;
  for (const Range& hole : holes) {
    if (hole.start >= end) break;
    if (hole.start > at) runs.push_back({.start = at, .length = hole.start - at});
    at = std::max(at, hole.start + hole.length);
  }
  if (at < end) runs.push_back({.start = at, .length = end - at});
  return runs;
}

absl::StatusOr<std::unique_ptr<VfioDevice>> VfioDevice::Open(Kernel& kernel, const SysfsDevice& sysfs,
                                                             std::shared_ptr<IommuContext> context,
                                                             const std::optional<VfToken>& token) {
  P2PD_ASSIGN_OR_RETURN(UniqueFd fd, kernel.OpenDevice(sysfs.cdev));
  absl::Status bound = kernel.BindDevice(fd, context->fd());
  // Whether a token is asked for only the kernel knows, and it refuses one that is not.
  if (token.has_value() && GetErrorInfo(bound).error == EACCES) bound = kernel.BindDevice(fd, context->fd(), token);
  P2PD_RETURN_IF_ERROR(bound);
  auto device = std::make_unique<VfioDevice>(kernel, std::move(fd), std::move(context));
  if (token.has_value() && sysfs.has_sriov) P2PD_RETURN_IF_ERROR(device->SetVfToken(*token));
  P2PD_RETURN_IF_ERROR(device->config().SetMemoryDecode(true));
  P2PD_RETURN_IF_ERROR(device->Describe(sysfs));
  return device;
}

absl::StatusOr<std::unique_ptr<VfioDevice>> VfioDevice::Adopt(Kernel& kernel, const SysfsDevice& sysfs, UniqueFd fd,
                                                              std::shared_ptr<IommuContext> context) {
  auto device = std::make_unique<VfioDevice>(kernel, std::move(fd), std::move(context));
  P2PD_ASSIGN_OR_RETURN(const DeviceInfo info, kernel.GetDeviceInfo(device->fd_));
  if (info.address != sysfs.address) {
    return absl::DataLossError(absl::StrCat("a descriptor that was kept for devices/", sysfs.address.ToString(),
                                            " is of devices/", info.address.ToString()));
  }
  P2PD_RETURN_IF_ERROR(device->Describe(sysfs));
  return device;
}

absl::Status VfioDevice::Describe(const SysfsDevice& sysfs) {
  P2PD_ASSIGN_OR_RETURN(file_, IdentityOf(fd_));
  P2PD_ASSIGN_OR_RETURN(const DeviceInfo info, kernel_.GetDeviceInfo(fd_));
  can_reset_ = info.can_reset;
  const absl::Status can_export = kernel_.ProbeExport(fd_);
  if (!can_export.ok() && !absl::IsUnimplemented(can_export)) return can_export;
  can_export_ = can_export.ok();
  return ReadRegions(sysfs);
}

absl::Status VfioDevice::ReadRegions(const SysfsDevice& sysfs) {
  P2PD_ASSIGN_OR_RETURN(const auto msix, config().MsixPages(kPageSize));
  for (int i = 0; i < kNumBars; ++i) {
    P2PD_ASSIGN_OR_RETURN(const RegionInfo region, kernel_.GetRegionInfo(fd_, i));
    Bar& bar = bars_[i];
    bar.size = region.size;
    bar.fd_offset = region.offset;
    if (static_cast<size_t>(i) < sysfs.resources.size()) {
      bar.memory = sysfs.resources[i].is_memory();
      bar.prefetchable = sysfs.resources[i].is_prefetchable();
    }
    if (const auto pages = msix.find(i); pages != msix.end()) bar.msix = pages->second;
    if (bar.memory) bar.runs = RunsBetween(bar.size, bar.msix);
  }
  P2PD_ASSIGN_OR_RETURN(const RegionInfo config_region, kernel_.GetRegionInfo(fd_, kConfigRegion));
  config_fd_offset_ = config_region.offset;
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const DmaBuf>> VfioDevice::DmaBufFor(int bar, Range range) {
  for (const Range& run : bars_[bar].runs) {
    if (!run.Contains(range)) continue;
    auto& cached = dma_bufs_[{bar, run.start}];
    if (cached == nullptr) {
      P2PD_ASSIGN_OR_RETURN(UniqueFd fd, kernel_.ExportDmaBuf(fd_, bar, run));
      cached = std::make_shared<DmaBuf>(DmaBuf{.fd = std::move(fd), .bar_offset = run.start});
    }
    return cached;
  }
  return MakeError(absl::StatusCode::kInvalidArgument,
                   {.reason = Reason::kWindowUnusable,
                    .step = "ExportDmaBuf",
                    .object = absl::StrCat("BAR ", bar, " ", range.ToString())},
                   "the window does not lie inside one run of exportable pages");
}

absl::StatusOr<std::shared_ptr<const DmaBuf>> VfioDevice::ExportAlone(int bar, Range range) const {
  P2PD_ASSIGN_OR_RETURN(UniqueFd fd, kernel_.ExportDmaBuf(fd_, bar, range));
  return std::make_shared<const DmaBuf>(DmaBuf{.fd = std::move(fd), .bar_offset = range.start});
}

uint64_t VfioDevice::memory_size() const {
  uint64_t size = 0;
  for (const Bar& bar : bars_) {
    for (const Range& run : bar.runs) size += bar.prefetchable ? run.length : 0;
  }
  return size;
}

absl::Status VfioDevice::ClearMemory() const {
  for (int i = 0; i < kNumBars; ++i) {
    if (!bars_[i].prefetchable) continue;
    for (const Range& run : bars_[i].runs) P2PD_RETURN_IF_ERROR(kernel_.ClearBar(fd_, i, run));
  }
  return absl::OkStatus();
}

absl::Status VfioDevice::FlushPostedWrites() const { return config().Read32(0).status(); }

}  // namespace p2pd
