#include "daemon/core/quota.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "daemon/base/errors.h"

namespace p2pd {
namespace {

constexpr size_t kHoldersNamed = 3;

bool Exceeds(uint64_t used, uint64_t amount, uint64_t limit) { return amount > limit || used > limit - amount; }

absl::Status TooMuch(const std::string& whose, absl::string_view hint, const std::string& what) {
  return MakeError(absl::StatusCode::kResourceExhausted,
                   {.reason = Reason::kQuota, .step = "quota", .object = std::string(whose), .hint = std::string(hint)},
                   what);
}

}  // namespace

absl::string_view Name(Resource resource) {
  switch (resource) {
    case Resource::kSessions:
      return "sessions";
    case Resource::kExports:
      return "exports";
    case Resource::kAddressSpaces:
      return "address spaces";
    case Resource::kMappings:
      return "mappings";
    case Resource::kMappedBytes:
      return "mapped bytes";
    case Resource::kMemories:
      return "memories";
    case Resource::kMemoryBytes:
      return "memory bytes";
    case Resource::kWatchers:
      return "watchers";
  }
  return "?";
}

QuotaLimits::QuotaLimits() {
  QuotaLimits& limits = *this;
  limits[Resource::kSessions] = {.per_user = 64, .total = 512};
  limits[Resource::kExports] = {.per_user = 1024, .total = 8192};
  limits[Resource::kAddressSpaces] = {.per_user = 64, .total = 512};
  limits[Resource::kMappings] = {.per_user = 16384, .total = 131072};
  limits[Resource::kMappedBytes] = {.per_user = 16ull << 40, .total = 256ull << 40};
  limits[Resource::kMemories] = {.per_user = 256, .total = 2048};
  limits[Resource::kMemoryBytes] = {.per_user = 16ull << 30, .total = 64ull << 30};
  limits[Resource::kWatchers] = {.per_user = 64, .total = 1024};
}

Quota::Charge::Charge(Charge&& other) noexcept { *this = std::move(other); }

Quota::Charge& Quota::Charge::operator=(Charge&& other) noexcept {
  if (this == &other) return *this;
  Return();
  book_ = std::exchange(other.book_, {});
  holder_ = other.holder_;
  resource_ = other.resource_;
  amount_ = std::exchange(other.amount_, 0);
  return *this;
}

void Quota::Charge::Return() {
  const auto book = book_.lock();
  book_.reset();
  if (book == nullptr) return;
  const auto user = book->users.find(holder_.uid);
  const auto session = user->second.sessions.find(holder_.session);
  const int index = static_cast<int>(resource_);
  book->used[index] -= amount_;
  user->second.used[index] -= amount_;
  session->second[index] -= amount_;
  if (session->second == Amounts{}) user->second.sessions.erase(session);
  if (user->second.sessions.empty()) book->users.erase(user);
}

absl::StatusOr<Quota::Charge> Quota::Take(const Holder& holder, Resource resource, uint64_t amount) {
  P2PD_RETURN_IF_ERROR(CheckUser(holder, resource, amount));
  P2PD_RETURN_IF_ERROR(CheckTotal(holder, resource, amount));
  Charge charge;
  if (amount == 0) return charge;
  const int index = static_cast<int>(resource);
  User& user = book_->users[holder.uid];
  book_->used[index] += amount;
  user.used[index] += amount;
  user.sessions[holder.session][index] += amount;
  charge.book_ = book_;
  charge.holder_ = holder;
  charge.resource_ = resource;
  charge.amount_ = amount;
  return charge;
}

absl::Status Quota::CheckUser(const Holder& holder, Resource resource, uint64_t amount) const {
  const uint64_t used = Used(holder.uid, resource);
  const uint64_t limit = limits_[resource].per_user;
  if (!Exceeds(used, amount, limit)) return absl::OkStatus();
  std::vector<std::pair<uint64_t, uint64_t>> holders;  // amount, session
  if (const auto user = book_->users.find(holder.uid); user != book_->users.end()) {
    for (const auto& [session, amounts] : user->second.sessions) {
      const uint64_t held = amounts[static_cast<int>(resource)];
      if (held != 0 && session != 0) holders.emplace_back(held, session);
    }
  }
  std::sort(holders.rbegin(), holders.rend());
  if (holders.size() > kHoldersNamed) holders.resize(kHoldersNamed);
  const std::string by = absl::StrJoin(holders, ", ", [](std::string* out, const auto& entry) {
    absl::StrAppend(out, "sessions/", entry.second, ": ", entry.first);
  });
  return TooMuch(absl::StrCat("uid ", holder.uid), "release some, or ask the administrator for a higher limit",
                 absl::StrCat("a user may have ", limit, " ", Name(resource), "; ", used, " are in use",
                              by.empty() ? "" : absl::StrCat(" (", by, ")"), ", ", amount, " more were asked for"));
}

absl::Status Quota::CheckTotal(const Holder& holder, Resource resource, uint64_t amount) const {
  const uint64_t used = UsedInTotal(resource);
  const uint64_t limit = limits_[resource].total;
  if (holder.uid == 0 || !Exceeds(used, amount, limit)) return absl::OkStatus();
  return TooMuch("p2pd", "wait until others release theirs, or ask the administrator for a higher limit",
                 absl::StrCat("all users together may have ", limit, " ", Name(resource), "; ", used,
                              " are in use, by ", book_->users.size(), " users, ", amount, " more were asked for"));
}

uint64_t Quota::Used(uint32_t uid, Resource resource) const {
  const auto user = book_->users.find(uid);
  return user == book_->users.end() ? 0 : user->second.used[static_cast<int>(resource)];
}

}  // namespace p2pd
