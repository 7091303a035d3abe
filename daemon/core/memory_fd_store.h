// A store for tests: it outlives one core after another in the same process.
#ifndef P2PD_DAEMON_CORE_MEMORY_FD_STORE_H_
#define P2PD_DAEMON_CORE_MEMORY_FD_STORE_H_

#include <map>
#include <string>
#include <vector>

#include "daemon/base/mutex.h"
#include "daemon/core/fd_store.h"

namespace p2pd {

class MemoryFdStore final : public FdStore {
 public:
  explicit MemoryFdStore(size_t most = 512) : most_(most) {}

  bool keeps() const override { return true; }
  absl::Status Put(const std::string& name, FdRef fd) override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Remove(const std::string& name) override ABSL_LOCKS_EXCLUDED(mutex_);
  // Duplicates: may be called again, for the next core.
  std::vector<StoredFd> TakeAll() override ABSL_LOCKS_EXCLUDED(mutex_);

  std::vector<std::string> names() const ABSL_LOCKS_EXCLUDED(mutex_);
  // The next Put or Remove fails with this, once.
  void FailNext(absl::Status status) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const size_t most_;
  mutable Mutex mutex_;
  std::map<std::string, UniqueFd> fds_ ABSL_GUARDED_BY(mutex_);
  absl::Status fail_next_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_MEMORY_FD_STORE_H_
