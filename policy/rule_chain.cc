#include "policy/rule_chain.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "policy/explanation.h"

namespace p2pd {
namespace {

std::string Asker(const PolicyRequest& request) { return absl::StrCat("uid ", request.subject.uid); }

std::string Quote(const Rule& rule) { return absl::StrCat("\"", rule.name, "\" (", rule.origin, ")"); }

Verdict Decided(const Rule& rule, const PolicyRequest& request) {
  const bool allowed = rule.effect == Effect::kAllow;
  return {.allowed = allowed,
          .rule = rule.name,
          .origin = rule.origin,
          .reason = absl::StrCat(Asker(request), allowed ? " may " : " may not ", Describe(request), ": rule ",
                                 Quote(rule), allowed ? " allows it" : " denies it"),
          .limits = allowed ? rule.limits : GrantLimits()};
}

Verdict Unmatched(const Rule* nearest, const PolicyRequest& request) {
  Verdict verdict;
  verdict.reason = absl::StrCat(Asker(request), " may not ", Describe(request), ": no rule allows it; ");
  if (nearest == nullptr) {
    absl::StrAppend(&verdict.reason, "the policy has no ALLOW rule");
    return verdict;
  }
  std::vector<std::string> lacks;
  for (Matcher failed : FailedMatchers(*nearest, request)) lacks.push_back(ExplainFailure(*nearest, failed, request));
  absl::StrAppend(&verdict.reason, "the nearest is ", Quote(*nearest), ", but ", absl::StrJoin(lacks, ", and "));
  return verdict;
}

}  // namespace

RuleChain::RuleChain(std::vector<Rule> rules)
    : rules_(std::move(rules)), denies_(rules_, Effect::kDeny), allows_(rules_, Effect::kAllow) {}

Verdict RuleChain::Judge(const PolicyRequest& request) const {
  const RequestView view(request);
  const auto deny = denies_.Find(rules_, view);
  if (deny.has_value() && deny->matches) return Decided(rules_[deny->rule], request);
  const auto allow = allows_.Find(rules_, view);
  if (!allow.has_value()) return Unmatched(nullptr, request);
  const Rule& rule = rules_[allow->rule];
  return allow->matches ? Decided(rule, request) : Unmatched(&rule, request);
}

}  // namespace p2pd
