// Descriptors that outlive this process: what core hands over so that a crash, or an upgrade, is no last close.
//
// core owns this interface; daemon/service implements it over systemd's, and a test keeps it in memory.
#ifndef P2PD_DAEMON_CORE_FD_STORE_H_
#define P2PD_DAEMON_CORE_FD_STORE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "daemon/base/pci_address.h"
#include "daemon/base/unique_fd.h"

namespace p2pd {

struct StoredFd {
  std::string name;
  UniqueFd fd;
};

// Thread-safe. Put and Remove block until the store has confirmed, or for its timeout: not for the event loop,
// and not under core's lock.
class FdStore {
 public:
  virtual ~FdStore() = default;

  // Whether anything outlives this process at all. Where not, Put and Remove fail with Unavailable, and p2pd can
  // go on without.
  virtual bool keeps() const = 0;

  // Keeps a duplicate. OK means that a successor will get it, whatever happens to this process. Errors:
  // InvalidArgument (the name), AlreadyExists, ResourceExhausted (it is full), DeadlineExceeded (nobody knows),
  // Unavailable.
  virtual absl::Status Put(const std::string& name, FdRef fd) = 0;

  // Lets go of it; to be called before the last of our own is closed, since the store must not be who closes a
  // device. OK means that the store has no copy any more. Errors: NotFound, DeadlineExceeded, Unavailable.
  virtual absl::Status Remove(const std::string& name) = 0;

  // What the last process left, in no order; once. They stay in the store, too.
  virtual std::vector<StoredFd> TakeAll() = 0;
};

// The names of what p2pd stores: a word, "-", and what it is of. Letters, digits, '-', '_' and '.' only.
std::string DeviceFdName(const PciAddress& address);        // "dev-0000-3a-00.0"
std::string ContextFdName(const PciAddress& first_device);  // "ctx-0000-3a-00.0"
std::string SessionFdName(uint64_t session);                // "sess-7"
std::string MemoryFdName(uint64_t number);                  // "mem-12"
std::string RawExportFdName(uint64_t export_id);            // "raw-9"
inline constexpr char kJournalFdName[] = "journal";

// Whether the name is one of those: a service manager passes listening sockets along with them.
bool IsStoredFdName(absl::string_view name);

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_FD_STORE_H_
