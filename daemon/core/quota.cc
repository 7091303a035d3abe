#include "daemon/core/quota.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"

namespace p2pd {
namespace {

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
    case Resource::kMemories:
      return "memfds";
    case Resource::kMemoryBytes:
      return "bytes of memory";
  }
  return "?";
}

}  // namespace

Quota::Charge::Charge(Charge&& other) noexcept { *this = std::move(other); }

Quota::Charge& Quota::Charge::operator=(Charge&& other) noexcept {
  if (this == &other) return *this;
  Return();
  book_ = std::exchange(other.book_, {});
  uid_ = other.uid_;
  resource_ = other.resource_;
  amount_ = std::exchange(other.amount_, 0);
  return *this;
}

Quota::Charge::~Charge() { Return(); }

void Quota::Charge::Return() {
  if (const auto book = book_.lock()) (*book)[uid_][static_cast<int>(resource_)] -= amount_;
  book_.reset();
  amount_ = 0;
}

Quota::Quota(const QuotaLimits& limits) : limits_(limits) {}

uint64_t Quota::Limit(Resource resource) const {
  switch (resource) {
    case Resource::kSessions:
      return limits_.sessions;
    case Resource::kExports:
      return limits_.exports;
    case Resource::kAddressSpaces:
      return limits_.address_spaces;
    case Resource::kMappings:
      return limits_.mappings;
    case Resource::kMemories:
      return limits_.memories;
    case Resource::kMemoryBytes:
      return limits_.memory_bytes;
  }
  return 0;
}

absl::StatusOr<Quota::Charge> Quota::Take(uint32_t uid, Resource resource, uint64_t amount) {
  uint64_t& used = (*book_)[uid][static_cast<int>(resource)];
  const uint64_t limit = Limit(resource);
  if (amount > limit || used > limit - amount) {
    return MakeError(absl::StatusCode::kResourceExhausted,
                     {.reason = Reason::kQuota,
                      .step = "quota",
                      .object = absl::StrCat("uid ", uid),
                      .hint = "release some, or ask the administrator for a higher limit"},
                     absl::StrCat("the limit is ", limit, " ", Name(resource), ", ", used, " are in use, ", amount,
                                  " more were asked for"));
  }
  used += amount;
  Charge charge;
  charge.book_ = book_;
  charge.uid_ = uid;
  charge.resource_ = resource;
  charge.amount_ = amount;
  return charge;
}

uint64_t Quota::Used(uint32_t uid, Resource resource) const {
  const auto entry = book_->find(uid);
  return entry == book_->end() ? 0 : entry->second[static_cast<int>(resource)];
}

}  // namespace p2pd
