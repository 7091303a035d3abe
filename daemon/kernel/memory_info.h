// What the system says about a file that a client offers as memory: the same for every kernel behind the
// seam, as clients' files are real even where devices are simulated.
#ifndef P2PD_DAEMON_KERNEL_MEMORY_INFO_H_
#define P2PD_DAEMON_KERNEL_MEMORY_INFO_H_

#include "absl/status/statusor.h"
#include "daemon/kernel/kernel.h"

namespace p2pd {

// Errors: Internal (EBADF) for what is no open file.
absl::StatusOr<MemoryInfo> InspectFile(FdRef file);

// PrepareMemory's work: touches every page, through a mapping of its own.
absl::Status PopulateFile(FdRef file, Range range);

}  // namespace p2pd

#endif  // P2PD_DAEMON_KERNEL_MEMORY_INFO_H_
