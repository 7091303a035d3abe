// What core looks at before it does anything, and the words in which it refuses. Pure functions of what is known; each
// lives in the .cc file of what it is about.
#ifndef P2PD_DAEMON_CORE_CHECKS_H_
#define P2PD_DAEMON_CORE_CHECKS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "daemon/base/errors.h"
#include "daemon/core/broker.h"
#include "daemon/core/tables.h"

namespace p2pd {

// The status of a call by a session that is over, or never was.
absl::Status SessionEnded();

// Whether p2pd is to manage it.
bool IsManaged(const SysfsDevice& device, const BrokerOptions& options);
// The sets of devices that share a context.
std::vector<std::vector<PciAddress>> Contexts(const std::vector<SysfsDevice>& managed,
                                              const std::vector<MergedContext>& merged);

std::string DeviceName(const PciAddress& address);  // "devices/0000:3a:00.0"
absl::Status DeviceError(const DeviceEntry& device, absl::StatusCode code, Reason reason, absl::string_view step,
                         absl::string_view what, absl::string_view hint);
// Whether the device can take part in anything just now, at all.
absl::Status CheckUsable(const DeviceEntry& device, absl::string_view step);

// Whether a device may be let at this memfd: nobody must be able to take its pages away under the DMA.
absl::Status CheckMemory(const std::string& name, const MemoryInfo& info);

// An export's: at least a millisecond, at most ten years, or infinite.
absl::Status CheckTimeToLive(absl::Duration time_to_live, absl::string_view step, const std::string& object);

std::string WindowName(const Window& window);  // "devices/0000:3a:00.0 BAR 2 [0x0, +0x1000)"
absl::Status CheckWindow(const DeviceView& device, const Window& window, absl::string_view step);

// Tells requests apart that share a request_id.
std::string Fingerprint(const MapArgs& args);
std::string Fingerprint(const OfferTerms& terms);

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_CHECKS_H_
