// Who holds a device besides p2pd: found by its inode among the descriptors and mappings of every process, as far
// as /proc shows them. Best effort: a descriptor under way in a socket, or of a process that is hidden, is not seen.
#ifndef P2PD_DAEMON_DEVICE_HOLDERS_H_
#define P2PD_DAEMON_DEVICE_HOLDERS_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/base/unique_fd.h"

namespace p2pd {

// Which file a descriptor refers to. A character device is the same whatever node it was opened by.
struct FileIdentity {
  dev_t file_system = 0;
  ino_t inode = 0;
  dev_t device = 0;  // of a character device; 0: none

  bool operator==(const FileIdentity&) const = default;
};

absl::StatusOr<FileIdentity> IdentityOf(FdRef file);

struct FileHolder {
  pid_t pid = 0;
  std::string comm;
  std::string unit;  // "" if unknown

  bool operator==(const FileHolder&) const = default;
};

// The processes but this one that hold the file, in the order of their numbers. Reads all of /proc: takes long
// where many processes run.
std::vector<FileHolder> FindHolders(const FileIdentity& file);

// "spdk_tgt (pid 4711, spdk.service)", the first three of them and how many more.
std::string Describe(const std::vector<FileHolder>& holders);

}  // namespace p2pd

#endif  // P2PD_DAEMON_DEVICE_HOLDERS_H_
