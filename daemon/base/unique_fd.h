// Ownership of file descriptors. An owned descriptor is a UniqueFd, passed by value; a borrowed one is an
// FdRef, never stored. Every descriptor the project makes is O_CLOEXEC.
#ifndef P2PD_DAEMON_BASE_UNIQUE_FD_H_
#define P2PD_DAEMON_BASE_UNIQUE_FD_H_

#include <utility>

#include "absl/status/statusor.h"

namespace p2pd {

// Closes its descriptor when it goes. Move-only; -1 is "none".
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.Release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    Reset(other.Release());
    return *this;
  }
  ~UniqueFd() { Reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  // Gives the descriptor up without closing it.
  int Release() { return std::exchange(fd_, -1); }
  void Reset(int fd = -1);

 private:
  int fd_ = -1;
};

// A descriptor that somebody else owns, for the length of one call.
class FdRef {
 public:
  FdRef(const UniqueFd& fd) : fd_(fd.get()) {}  // NOLINT(google-explicit-constructor)
  explicit FdRef(int fd) : fd_(fd) {}
  int get() const { return fd_; }

 private:
  int fd_;
};

// dup with O_CLOEXEC. Errors: ResourceExhausted (EMFILE).
absl::StatusOr<UniqueFd> Duplicate(FdRef fd);

}  // namespace p2pd

#endif  // P2PD_DAEMON_BASE_UNIQUE_FD_H_
