// A file of the simulation's own that is handed out as if it were a device node: it knows each of its opens,
// and when the last duplicate of one is gone, wherever that is (another process, a mapping, a message that
// nobody has received).
//
// Each open holds a lock on a byte of its own that belongs to the open file description (F_OFD_SETLK). The
// system drops the lock with the description's last reference, which is when a driver's release() would run.
#ifndef P2PD_DAEMON_KERNEL_SIM_TRACKED_FILE_H_
#define P2PD_DAEMON_KERNEL_SIM_TRACKED_FILE_H_

#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/base/unique_fd.h"

namespace p2pd::sim {

// What a descriptor refers to: the same for every open and duplicate of one file.
struct FileId {
  dev_t device = 0;
  ino_t inode = 0;

  auto operator<=>(const FileId&) const = default;
};

// Nothing if `fd` is not open.
std::optional<FileId> Identify(FdRef fd);

class TrackedFile {
 public:
  // An empty (sparse) file of `size` bytes.
  static absl::StatusOr<TrackedFile> Create(absl::string_view name, uint64_t size);

  FileId id() const { return id_; }

  // Opens the file anew, for reading and writing. `handle` names this open; it must not be open already.
  absl::StatusOr<UniqueFd> Open(uint64_t handle) const;

  // Whether anything still refers to what Open(handle) returned.
  bool IsOpen(uint64_t handle) const;

  // Whether `fd`, a descriptor of this file, is what Open(handle) returned or a duplicate of it.
  bool IsHandle(FdRef fd, uint64_t handle) const;

  // The simulation's own descriptor, which counts as no open.
  FdRef own() const { return own_; }

 private:
  TrackedFile(UniqueFd own, FileId id) : own_(std::move(own)), id_(id) {}

  UniqueFd own_;
  FileId id_;
};

}  // namespace p2pd::sim

#endif  // P2PD_DAEMON_KERNEL_SIM_TRACKED_FILE_H_
