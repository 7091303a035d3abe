#include "daemon/core/memory_fd_store.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"

namespace p2pd {

absl::Status MemoryFdStore::Put(const std::string& name, FdRef fd) {
  if (!IsStoredFdName(name)) return absl::InvalidArgumentError(absl::StrCat("fd store: \"", name, "\" is no name"));
  P2PD_ASSIGN_OR_RETURN(UniqueFd copy, Duplicate(fd));
  MutexLock lock(mutex_);
  if (!fail_next_.ok()) return std::exchange(fail_next_, absl::OkStatus());
  if (fds_.contains(name)) return absl::AlreadyExistsError(absl::StrCat("fd store: ", name, " is there"));
  if (fds_.size() >= most_) return absl::ResourceExhaustedError(absl::StrCat("fd store: it holds ", most_, " fds"));
  fds_[name] = std::move(copy);
  return absl::OkStatus();
}

absl::Status MemoryFdStore::Remove(const std::string& name) {
  UniqueFd removed;  // closed after the lock is released: a device's close may take long
  MutexLock lock(mutex_);
  if (!fail_next_.ok()) return std::exchange(fail_next_, absl::OkStatus());
  const auto entry = fds_.find(name);
  if (entry == fds_.end()) return absl::NotFoundError(absl::StrCat("fd store: there is no ", name));
  removed = std::move(entry->second);
  fds_.erase(entry);
  return absl::OkStatus();
}

std::vector<StoredFd> MemoryFdStore::TakeAll() {
  MutexLock lock(mutex_);
  std::vector<StoredFd> all;
  for (const auto& [name, fd] : fds_) {
    if (absl::StatusOr<UniqueFd> copy = Duplicate(fd); copy.ok()) all.push_back({.name = name, .fd = *std::move(copy)});
  }
  return all;
}

std::vector<std::string> MemoryFdStore::names() const {
  MutexLock lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, fd] : fds_) names.push_back(name);
  return names;
}

void MemoryFdStore::FailNext(absl::Status status) {
  MutexLock lock(mutex_);
  fail_next_ = std::move(status);
}

}  // namespace p2pd
