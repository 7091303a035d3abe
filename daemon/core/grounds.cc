#include "daemon/core/grounds.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"

namespace p2pd {
namespace {

void Join(std::string& names, const std::string& name) { absl::StrAppend(&names, names.empty() ? "" : "; ", name); }

}  // namespace

absl::StatusOr<Grounds> Rest(RuleLedger& ledger, uint32_t uid, uint64_t bytes, const std::vector<Verdict>& verdicts) {
  Grounds grounds;
  std::set<std::string> rules;
  for (const Verdict& verdict : verdicts) {
    if (!rules.insert(verdict.rule).second) continue;  // one grant, however many devices it took the rule for
    P2PD_ASSIGN_OR_RETURN(RuleLedger::Charge charge, ledger.Take(uid, verdict, bytes));
    grounds.charges.push_back(std::move(charge));
    const bool first = rules.size() == 1;
    Join(grounds.rule, verdict.rule);
    Join(grounds.origin, verdict.origin);
    if (first) {
      grounds.limits = verdict.limits;
      continue;
    }
    TakeLess(grounds.limits.max_count, verdict.limits.max_count);
    TakeLess(grounds.limits.max_bytes, verdict.limits.max_bytes);
    TakeLess(grounds.limits.time_to_live, verdict.limits.time_to_live);
    TakeLess(grounds.limits.quiesce_deadline, verdict.limits.quiesce_deadline);
    grounds.limits.shared = grounds.limits.shared && verdict.limits.shared;
    grounds.limits.kill_holder = grounds.limits.kill_holder && verdict.limits.kill_holder;
  }
  return grounds;
}

}  // namespace p2pd
