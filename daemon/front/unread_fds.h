// How many descriptors p2pd has sent to each user that nobody has read yet. Until they are read the kernel holds them
// for p2pd, and what they name stays open: what a user leaves unread is bounded over all of its sessions.
//
// The kernel does not say when something is read. So a channel counts as full of what was sent to it until it is
// found to be empty; the others are looked at when a limit seems to be reached.
#ifndef P2PD_DAEMON_FRONT_UNREAD_FDS_H_
#define P2PD_DAEMON_FRONT_UNREAD_FDS_H_

#include <cstdint>
#include <list>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "daemon/base/mutex.h"
#include "daemon/base/unique_fd.h"

namespace p2pd {

struct UnreadFdLimits {
  uint64_t per_user = 256;
  uint64_t total = 2048;  // root may go past it
};

// Thread-safe.
class UnreadFds {
  struct Channel {
    uint32_t uid = 0;
    int socket = -1;
    uint64_t unread = 0;
    uint64_t in_flight = 0;  // about to be sent
  };
  struct Book {
    explicit Book(const UnreadFdLimits& most) : limits(most) {}
    uint64_t Count(const uint32_t* uid, bool look) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
    bool Exceeds(const uint32_t* uid, uint64_t limit) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

    const UnreadFdLimits limits;
    Mutex mutex;
    std::list<Channel> channels ABSL_GUARDED_BY(mutex);
  };

 public:
  static constexpr uint64_t kPerSession = 16;

  // One channel's, closed before its socket is; may outlive the UnreadFds. Move-only.
  class Account {
   public:
    Account(Account&&) = default;
    ~Account() { Close(); }

    // Before a descriptor is sent. Errors: ResourceExhausted, naming the limit.
    absl::Status Reserve();
    // After each Reserve() that was OK: whether the descriptor is with the kernel now.
    void Settle(bool sent);
    void Close();

   private:
    friend class UnreadFds;
    Account(std::shared_ptr<Book> book, std::list<Channel>::iterator channel)
        : book_(std::move(book)), channel_(channel) {}

    std::shared_ptr<Book> book_;
    std::list<Channel>::iterator channel_;
  };

  explicit UnreadFds(const UnreadFdLimits& limits) : book_(std::make_shared<Book>(limits)) {}

  Account Open(uint32_t uid, FdRef socket);

 private:
  const std::shared_ptr<Book> book_;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_FRONT_UNREAD_FDS_H_
