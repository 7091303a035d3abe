#include "daemon/front/unread_fds.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"

namespace p2pd {
namespace {

bool EverythingRead(int socket) {
  int unread_bytes = 0;
  return ioctl(socket, SIOCOUTQ, &unread_bytes) == 0 && unread_bytes == 0;
}

absl::Status TooMany(const std::string& whose, uint64_t limit) {
  return MakeError(absl::StatusCode::kResourceExhausted,
                   {.reason = Reason::kQuota,
                    .step = "send the fd",
                    .object = whose,
                    .hint = "read the fd channel while calls are in progress"},
                   absl::StrCat("leaves ", limit, " descriptors unread, which is the limit"));
}

}  // namespace

// Those of one user, or of all; after a look at whether they were read, or as they were last seen.
uint64_t UnreadFds::Book::Count(const uint32_t* uid, bool look) {
  uint64_t count = 0;
  for (Channel& channel : channels) {
    if (uid != nullptr && channel.uid != *uid) continue;
    if (look && channel.unread > 0 && EverythingRead(channel.socket)) channel.unread = 0;
    count += channel.unread + channel.in_flight;
  }
  return count;
}

bool UnreadFds::Book::Exceeds(const uint32_t* uid, uint64_t limit) {
  return Count(uid, false) >= limit && Count(uid, true) >= limit;
}

UnreadFds::Account UnreadFds::Open(uint32_t uid, FdRef socket) {
  MutexLock lock(book_->mutex);
  return Account(book_, book_->channels.insert(book_->channels.end(), Channel{.uid = uid, .socket = socket.get()}));
}

absl::Status UnreadFds::Account::Reserve() {
  MutexLock lock(book_->mutex);
  if (channel_->unread > 0 && EverythingRead(channel_->socket)) channel_->unread = 0;
  if (channel_->unread + channel_->in_flight >= kPerSession) return TooMany("the session", kPerSession);
  const uint32_t uid = channel_->uid;
  if (book_->Exceeds(&uid, book_->limits.per_user)) return TooMany(absl::StrCat("uid ", uid), book_->limits.per_user);
  if (uid != 0 && book_->Exceeds(nullptr, book_->limits.total)) {
    return TooMany("all of p2pd's clients together", book_->limits.total);
  }
  ++channel_->in_flight;
  return absl::OkStatus();
}

void UnreadFds::Account::Settle(bool sent) {
  MutexLock lock(book_->mutex);
  --channel_->in_flight;
  if (sent) ++channel_->unread;
}

void UnreadFds::Account::Close() {
  if (book_ == nullptr) return;
  {
    MutexLock lock(book_->mutex);
    book_->channels.erase(channel_);
  }
  book_.reset();
}

}  // namespace p2pd
