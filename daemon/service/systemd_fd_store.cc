#include "daemon/service/systemd_fd_store.h"

#include <systemd/sd-daemon.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"

namespace p2pd {
namespace {

absl::Status StoreError(absl::StatusCode code, const std::string& step, const std::string& name, absl::string_view what,
                        absl::string_view hint) {
  return MakeError(code, {.step = step, .object = name, .hint = std::string(hint)}, what);
}

}  // namespace

SystemdFdStore::SystemdFdStore(Options options, std::vector<NamedFd>& inherited) : options_(std::move(options)) {
  MutexLock lock(mutex_);
  for (NamedFd& fd : inherited) {
    if (!fd.fd.valid() || !IsStoredFdName(fd.name) || !names_.insert(fd.name).second) continue;
    left_.push_back({.name = fd.name, .fd = std::move(fd.fd)});
  }
}

absl::Status SystemdFdStore::Notify(const std::string& message, const int* fd) const {
  const int sent = sd_pid_notify_with_fds(0, /*unset_environment=*/0, message.c_str(), fd, fd == nullptr ? 0 : 1);
  if (sent > 0) return absl::OkStatus();
  if (sent < 0) return ErrnoError("sd_pid_notify_with_fds", "$NOTIFY_SOCKET", -sent);
  return absl::UnavailableError("fd store: $NOTIFY_SOCKET is not set");
}

absl::Status SystemdFdStore::Barrier() const {
  const int done = sd_notify_barrier(0, static_cast<uint64_t>(absl::ToInt64Microseconds(options_.timeout)));
  if (done > 0) return absl::OkStatus();
  if (done == -ETIMEDOUT) return absl::DeadlineExceededError("the service manager does not answer");
  return done == 0 ? absl::UnavailableError("$NOTIFY_SOCKET is not set")
                   : ErrnoError("sd_notify_barrier", "$NOTIFY_SOCKET", -done);
}

absl::Status SystemdFdStore::Exchange(const std::string& step, const std::string& name, const std::string& message,
                                      const int* fd, int grown) {
  P2PD_ASSIGN_OR_RETURN(const uint32_t before, options_.count());
  P2PD_RETURN_IF_ERROR(Notify(message, fd));
  if (const absl::Status waited = Barrier(); !waited.ok()) {
    return StoreError(waited.code(), step, name, waited.message(), "systemctl status shows whether systemd is busy");
  }
  P2PD_ASSIGN_OR_RETURN(const uint32_t after, options_.count());
  if (int64_t{after} - int64_t{before} == grown) return absl::OkStatus();
  return StoreError(absl::StatusCode::kResourceExhausted, step, name,
                    absl::StrCat("systemd held ", before, " descriptors before, and holds ", after, " now"),
                    "FileDescriptorStoreMax= of the unit is how many it keeps");
}

absl::Status SystemdFdStore::Put(const std::string& name, FdRef fd) {
  constexpr char kStep[] = "FDSTORE";
  if (!IsStoredFdName(name)) {
    return StoreError(absl::StatusCode::kInvalidArgument, kStep, name, "is no name for a stored descriptor", "");
  }
  MutexLock lock(mutex_);
  if (names_.contains(name)) {
    return StoreError(absl::StatusCode::kAlreadyExists, kStep, name, "is in the store", "remove it first");
  }
  // FDPOLL=0: systemd would drop a socket whose peer has hung up, and nobody would know.
  const int raw = fd.get();
  const absl::Status stored = Exchange(kStep, name, absl::StrCat("FDSTORE=1\nFDPOLL=0\nFDNAME=", name), &raw, 1);
  if (stored.ok()) {
    names_.insert(name);
  } else {
    // It may be there all the same, or still come to be; this goes the same way, behind it.
    Notify(absl::StrCat("FDSTOREREMOVE=1\nFDNAME=", name), nullptr).IgnoreError();
  }
  return stored;
}

absl::Status SystemdFdStore::Remove(const std::string& name) {
  constexpr char kStep[] = "FDSTOREREMOVE";
  MutexLock lock(mutex_);
  if (!names_.contains(name)) {
    return StoreError(absl::StatusCode::kNotFound, kStep, name, "is not in the store", "");
  }
  P2PD_RETURN_IF_ERROR(Exchange(kStep, name, absl::StrCat("FDSTOREREMOVE=1\nFDNAME=", name), nullptr, -1));
  names_.erase(name);
  return absl::OkStatus();
}

std::vector<StoredFd> SystemdFdStore::TakeAll() {
  MutexLock lock(mutex_);
  return std::exchange(left_, {});
}

absl::Status NoFdStore::Put(const std::string& name, FdRef) {
  return absl::UnavailableError(absl::StrCat("fd store: ", name, " cannot be kept: ", why_));
}

absl::Status NoFdStore::Remove(const std::string& name) {
  return absl::UnavailableError(absl::StrCat("fd store: ", name, " was not kept: ", why_));
}

}  // namespace p2pd
