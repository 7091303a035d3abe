// All that p2pd-config does with the capability that p2pd goes without: reads the configuration spaces that a path
// between two devices depends on. Those are bridges' and those of VFIO's devices, which may be at either end; it reads
// no others (some chips hang when registers are read that they do not have), writes none, and opens nothing else.
#ifndef P2PD_DAEMON_HELPER_CONFIG_SERVER_H_
#define P2PD_DAEMON_HELPER_CONFIG_SERVER_H_

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "daemon/base/unique_fd.h"

namespace p2pd {

// Answers one connection's requests until its other end closes it, which is no error. Errors: PermissionDenied (that
// end is not `asker`), InvalidArgument (this is no such connection).
absl::Status ServeConfig(FdRef connection, const std::string& sysfs_root, uid_t asker);

// The reply to one request, whatever that is. Its errno is EINVAL (no address in canonical form), ENOENT (no such
// function), EPERM (neither a bridge nor VFIO's), or what reading gave.
std::string AnswerConfig(absl::string_view request, const std::string& sysfs_root);

}  // namespace p2pd

#endif  // P2PD_DAEMON_HELPER_CONFIG_SERVER_H_
