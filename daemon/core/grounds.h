// What a grant rests on. Copies: the policy may be another one by the time that it matters.
#ifndef P2PD_DAEMON_CORE_GROUNDS_H_
#define P2PD_DAEMON_CORE_GROUNDS_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/core/rule_ledger.h"
#include "policy/policy.h"

namespace p2pd {

struct Grounds {
  std::string rule;    // that allows it; several are joined by "; "
  std::string origin;  // their places, likewise
  GrantLimits limits;  // the strictest of each
  std::vector<RuleLedger::Charge> charges;
};

// The stricter of two limits, of which either may be absent.
template <typename T>
void TakeLess(std::optional<T>& limit, const std::optional<T>& other) {
  if (other.has_value()) limit = std::min(limit.value_or(*other), *other);
}

// What a grant of so many bytes to this user rests on, for which all of these verdicts were needed. Each allows.
// Errors: those of RuleLedger::Take.
absl::StatusOr<Grounds> Rest(RuleLedger& ledger, uint32_t uid, uint64_t bytes, const std::vector<Verdict>& verdicts);

}  // namespace p2pd

#endif  // P2PD_DAEMON_CORE_GROUNDS_H_
