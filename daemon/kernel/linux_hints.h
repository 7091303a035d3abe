// What an errno of a VFIO or iommufd call most likely means, and what to do about it: one sentence for the
// person who reads the error. Read from Linux 7.3's source; a hint is a likely cause, never a verdict.
#ifndef P2PD_DAEMON_KERNEL_LINUX_HINTS_H_
#define P2PD_DAEMON_KERNEL_LINUX_HINTS_H_

#include "absl/strings/string_view.h"

namespace p2pd {

// `call` is the ioctl's name ("VFIO_DEVICE_BIND_IOMMUFD"), or "open" and the path's folder
// ("open /dev/iommu"). Empty where nothing better is known than the errno's own text.
absl::string_view HintFor(absl::string_view call, int error);

}  // namespace p2pd

#endif  // P2PD_DAEMON_KERNEL_LINUX_HINTS_H_
