#include "daemon/front/connection_table.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"

namespace p2pd {
namespace {

absl::Status TooMany(const std::string& whose, int limit, const std::string& hint) {
  return MakeError(absl::StatusCode::kResourceExhausted,
                   {.reason = Reason::kQuota, .step = "connect", .object = whose, .hint = hint},
                   absl::StrCat("already has ", limit, " connections"));
}

}  // namespace

ConnectionTable::Lease& ConnectionTable::Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    Return();
    book_ = std::move(other.book_);
    uid_ = other.uid_;
  }
  return *this;
}

void ConnectionTable::Lease::Return() {
  if (book_ == nullptr) return;
  {
    MutexLock lock(book_->mutex);
    --book_->total;
    const auto user = book_->by_user.find(uid_);
    if (--user->second == 0) book_->by_user.erase(user);
  }
  book_.reset();
}

absl::StatusOr<ConnectionTable::Lease> ConnectionTable::Take(uint32_t uid) {
  MutexLock lock(book_->mutex);
  if (uid != 0 && book_->total >= limits_.total) {
    return TooMany("p2pd", limits_.total, "wait until other clients are done");
  }
  const auto user = book_->by_user.find(uid);
  if (user != book_->by_user.end() && user->second >= limits_.per_user) {
    return TooMany(absl::StrCat("uid ", uid), limits_.per_user, "close some; a client needs two");
  }
  ++book_->total;
  ++book_->by_user[uid];
  return Lease(book_, uid);
}

UsageView ConnectionTable::Usage(uint32_t uid) const {
  MutexLock lock(book_->mutex);
  const auto user = book_->by_user.find(uid);
  return {.resource = "connections",
          .used = static_cast<uint64_t>(user == book_->by_user.end() ? 0 : user->second),
          .per_user = static_cast<uint64_t>(limits_.per_user),
          .used_in_total = static_cast<uint64_t>(book_->total),
          .total = static_cast<uint64_t>(limits_.total)};
}

}  // namespace p2pd
