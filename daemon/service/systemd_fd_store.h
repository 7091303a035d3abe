// systemd's fd store (systemd 252: FileDescriptorStoreMax=, sd_pid_notify_with_fds(3)).
//
// systemd takes descriptors by datagram and says nothing: one that does not fit is closed, with a line in its
// log. So after each one a barrier waits until the manager has read it, and then the manager is asked how many
// descriptors it holds for this unit. Only a number that has grown by one confirms.
#ifndef P2PD_DAEMON_SERVICE_SYSTEMD_FD_STORE_H_
#define P2PD_DAEMON_SERVICE_SYSTEMD_FD_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/base/mutex.h"
#include "daemon/core/fd_store.h"
#include "daemon/service/listen_fds.h"

namespace p2pd {

class SystemdFdStore final : public FdStore {
 public:
  // How many descriptors the manager holds for this unit (NFileDescriptorStore).
  using Count = std::function<absl::StatusOr<uint32_t>()>;

  struct Options {
    Count count;
    absl::Duration timeout = absl::Seconds(5);  // of one barrier
  };

  // `inherited`: what the manager passed; what the last process stored is taken out of it. Two of one name are no
  // p2pd's doing: the first is kept.
  SystemdFdStore(Options options, std::vector<NamedFd>& inherited);

  bool keeps() const override { return true; }
  absl::Status Put(const std::string& name, FdRef fd) override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Remove(const std::string& name) override ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<StoredFd> TakeAll() override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Status Notify(const std::string& message, const int* fd) const;
  absl::Status Barrier() const;
  // Sends, waits, and sees that the number of descriptors is now `grown` more (or less) than before.
  absl::Status Exchange(const std::string& step, const std::string& name, const std::string& message, const int* fd,
                        int grown) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  Mutex mutex_;
  std::set<std::string> names_ ABSL_GUARDED_BY(mutex_);
  std::vector<StoredFd> left_ ABSL_GUARDED_BY(mutex_);  // until TakeAll
};

// Nothing outlives the process: p2pd was not started by systemd, or its unit has no store.
class NoFdStore final : public FdStore {
 public:
  // `why`: for whoever asks it to keep something.
  explicit NoFdStore(std::string why) : why_(std::move(why)) {}

  bool keeps() const override { return false; }
  absl::Status Put(const std::string& name, FdRef fd) override;
  absl::Status Remove(const std::string& name) override;
  std::vector<StoredFd> TakeAll() override { return {}; }
  const std::string& why() const { return why_; }

 private:
  const std::string why_;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_SERVICE_SYSTEMD_FD_STORE_H_
