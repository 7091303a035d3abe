#include "daemon/core/rule_ledger.h"

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"

namespace p2pd {
namespace {

absl::Status Exceeded(uint32_t uid, const Verdict& verdict, absl::string_view limit, uint64_t used, uint64_t asked,
                      uint64_t most) {
  return MakeError(absl::StatusCode::kResourceExhausted,
                   {.reason = Reason::kQuota,
                    .step = "limits of the rule",
                    .object = absl::StrCat("\"", verdict.rule, "\" (", verdict.origin, ")"),
                    .hint = "release what is not needed any more; the administrator's policy decides"},
                   absl::StrCat("uid ", uid, " holds ", used, " of ", limit, " ", most, ", and asks for ", asked));
}

// No sum: bytes are whatever somebody asked for.
bool Fits(uint64_t used, uint64_t asked, uint64_t most) { return used <= most && asked <= most - used; }

}  // namespace

RuleLedger::Charge& RuleLedger::Charge::operator=(Charge&& other) noexcept {
  if (this == &other) return *this;
  Return();
  book_ = std::move(other.book_);
  account_ = std::move(other.account_);
  bytes_ = other.bytes_;
  return *this;
}

void RuleLedger::Charge::Return() {
  const auto book = book_.lock();
  book_.reset();
  if (book == nullptr) return;
  const auto used = book->find(account_);
  --used->second.count;
  used->second.bytes -= bytes_;
  if (used->second.count == 0) book->erase(used);
}

absl::StatusOr<RuleLedger::Charge> RuleLedger::Take(uint32_t uid, const Verdict& verdict, uint64_t bytes) {
  Charge charge;
  const GrantLimits& limits = verdict.limits;
  // Within one policy a rule has limits or has none: what nobody counts need not be written down.
  if (!limits.max_count.has_value() && !limits.max_bytes.has_value()) return charge;
  const Account account(uid, verdict.rule);
  const auto found = book_->find(account);
  const Used used = found == book_->end() ? Used() : found->second;
  if (limits.max_count.has_value() && !Fits(used.count, 1, *limits.max_count)) {
    return Exceeded(uid, verdict, "max_count", used.count, 1, *limits.max_count);
  }
  if (limits.max_bytes.has_value() && !Fits(used.bytes, bytes, *limits.max_bytes)) {
    return Exceeded(uid, verdict, "max_bytes", used.bytes, bytes, *limits.max_bytes);
  }
  (*book_)[account] = {.count = used.count + 1, .bytes = used.bytes + bytes};
  charge.book_ = book_;
  charge.account_ = account;
  charge.bytes_ = bytes;
  return charge;
}

}  // namespace p2pd
