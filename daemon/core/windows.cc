// Windows: what they are called, and which a device can have.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/core/checks.h"

namespace p2pd {
namespace {

absl::Status WindowError(absl::string_view step, const Window& window, absl::string_view what, absl::string_view hint) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   {.reason = Reason::kWindowUnusable,
                    .step = std::string(step),
                    .object = WindowName(window),
                    .hint = std::string(hint)},
                   what);
}

}  // namespace

std::string WindowName(const Window& window) {
  return absl::StrCat("devices/", window.device.ToString(), " BAR ", window.bar, " ", window.range.ToString());
}

absl::Status CheckWindow(const DeviceView& device, const Window& window, absl::string_view step) {
  const auto bar =
      std::find_if(device.bars.begin(), device.bars.end(), [&](const BarView& b) { return b.index == window.bar; });
  if (bar == device.bars.end())
    return WindowError(step, window, "the device has no such BAR", "p2pctl device show lists them");
  if (!bar->exportable) {
    return WindowError(step, window, "the BAR cannot be exported",
                       "it is an I/O BAR or smaller than a page, or this kernel lacks VFIO_DEVICE_FEATURE_DMA_BUF");
  }
  if (!window.range.Valid() || window.range.start % kPageSize != 0 || window.range.length % kPageSize != 0) {
    return WindowError(step, window, "offset and length must be multiples of the page size, and the length not 0",
                       absl::StrCat("the page size is ", kPageSize));
  }
  if (window.range.last() >= bar->size) {
    return WindowError(step, window, absl::StrCat("it ends beyond the BAR, which is ", bar->size, " bytes long"), "");
  }
  for (const Range& pages : bar->msix) {
    if (!window.range.Overlaps(pages)) continue;
    return WindowError(step, window, absl::StrCat("it touches the MSI-X pages ", pages.ToString()),
                       "a device that writes there could raise any interrupt: take a window beside them");
  }
  return absl::OkStatus();
}

}  // namespace p2pd
