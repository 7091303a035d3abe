#include "daemon/core/capabilities.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"

namespace p2pd {
namespace {

// The first page of memory that the device can export.
std::optional<std::pair<int, Range>> FirstWindow(const VfioDevice& device) {
  for (int i = 0; i < kNumBars; ++i) {
    const Bar& bar = device.bars()[i];
    if (bar.memory && !bar.runs.empty()) return std::make_pair(i, Range{bar.runs.front().start, kPageSize});
  }
  return std::nullopt;
}

// Without a device attached, a kernel that knows nothing of dma-bufs would take any file, lazily.
absl::Status MapAWindow(const VfioDevice& device, FdRef dma_buf) {
  P2PD_ASSIGN_OR_RETURN(const std::shared_ptr<AddressSpace> space, AddressSpace::Create(device.context()));
  absl::Status status = device.Attach(*space);
  if (status.ok()) {
    const absl::StatusOr<IovaLayout> layout = space->Layout();
    status = layout.status();
    if (layout.ok() && !layout->usable.empty()) {
      const Range iova = {.start = std::max(layout->usable.back().start, kPageSize), .length = kPageSize};
      status = space->Map(dma_buf, 0, iova, Access::kReadWrite);
      if (status.ok()) status = space->Unmap(iova);
    }
  }
  const absl::Status detached = device.Detach();
  const absl::Status destroyed = space->Destroy();
  for (const absl::Status& cleanup : {detached, destroyed}) {
    if (status.ok()) status = cleanup;
  }
  return status;
}

CapabilityView Tell(const std::string& name, const absl::Status& status, const std::string& without) {
  return {.name = name,
          .available = status.ok(),
          .detail = status.ok() ? "" : absl::StrCat(without, ": ", std::string(status.message()))};
}

}  // namespace

std::vector<CapabilityView> ProbeCapabilities(const std::vector<std::shared_ptr<VfioDevice>>& devices,
                                              const std::vector<std::shared_ptr<VfioDevice>>& idle) {
  const size_t exporters = static_cast<size_t>(
      std::count_if(devices.begin(), devices.end(), [](const auto& device) { return device->can_export(); }));
  std::vector<CapabilityView> views = {{
      .name = "VFIO_DEVICE_FEATURE_DMA_BUF",
      .available = exporters != 0,
      .detail = absl::StrCat(exporters, " of ", devices.size(), " devices can export windows"),
  }};
  constexpr char kMap[] = "IOMMU_IOAS_MAP_FILE of a dma-buf";
  constexpr char kWithout[] = "nothing can be mapped";
  for (const auto& device : idle) {
    const auto window = device->can_export() ? FirstWindow(*device) : std::nullopt;
    if (!window.has_value()) continue;
    const auto dma_buf = device->ExportAlone(window->first, window->second);
    views.push_back(Tell(kMap, dma_buf.ok() ? MapAWindow(*device, (*dma_buf)->fd) : dma_buf.status(), kWithout));
    return views;
  }
  if (exporters != 0) {
    views.push_back({.name = kMap, .available = true, .detail = "every device that could tell is in use already"});
    return views;
  }
  views.push_back({.name = kMap, .detail = "could not be probed: no device can export a window"});
  return views;
}

}  // namespace p2pd
