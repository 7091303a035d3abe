#include "policy/rule_chain.h"

#include <algorithm>
#include <string>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace p2pd {
namespace {

// "MAP BAR 2 of 0000:01:00.0 for 0000:02:00.0"
std::string Describe(const PolicyRequest& request) {
  std::string text(ActionName(EffectiveAction(request)));
  if (request.window.has_value()) absl::StrAppend(&text, " BAR ", request.window->bar);
  if (request.exporter.has_value()) {
    absl::StrAppend(&text, request.window.has_value() ? " of " : " ", request.exporter->address.ToString());
  }
  if (request.importer.has_value()) absl::StrAppend(&text, " for ", request.importer->address.ToString());
  return text;
}

std::string Asker(const PolicyRequest& request) { return absl::StrCat("uid ", request.subject.uid); }

std::string Quote(const Rule& rule) { return absl::StrCat("\"", rule.name, "\" (", rule.origin, ")"); }

Verdict Decided(const Rule& rule, const PolicyRequest& request) {
  const bool allowed = rule.effect == Effect::kAllow;
  return {.allowed = allowed,
          .rule = rule.name,
          .origin = rule.origin,
          .reason = absl::StrCat(Asker(request), allowed ? " may " : " may not ", Describe(request), ": rule ",
                                 Quote(rule), allowed ? " allows it" : " denies it"),
          .scrub = allowed ? rule.scrub : Scrub::kReset};
}

}  // namespace

Verdict RuleChain::Judge(const PolicyRequest& request) const {
  const Rule* allow = nullptr;
  for (const Rule& rule : rules_) {
    if (rule.effect == Effect::kAllow && allow != nullptr) continue;
    if (!Matches(rule, request)) continue;
    if (rule.effect == Effect::kDeny) return Decided(rule, request);
    allow = &rule;
  }
  return allow != nullptr ? Decided(*allow, request) : Unmatched(request);
}

const Rule* RuleChain::Nearest(const PolicyRequest& request) const {
  // Of rules that lack equally many conditions, the one for this action, then for this subject, then the first.
  using Distance = std::tuple<size_t, bool, bool>;
  const Rule* nearest = nullptr;
  Distance shortest;
  for (const Rule& rule : rules_) {
    if (rule.effect != Effect::kAllow) continue;
    const std::vector<Matcher> failed = FailedMatchers(rule, request);
    const auto lacks = [&](Matcher matcher) { return std::count(failed.begin(), failed.end(), matcher) > 0; };
    const Distance distance(failed.size(), lacks(Matcher::kAction), lacks(Matcher::kSubject));
    if (nearest != nullptr && distance >= shortest) continue;
    nearest = &rule;
    shortest = distance;
  }
  return nearest;
}

Verdict RuleChain::Unmatched(const PolicyRequest& request) const {
  Verdict verdict;
  verdict.reason = absl::StrCat(Asker(request), " may not ", Describe(request), ": no rule allows it; ");
  const Rule* nearest = Nearest(request);
  if (nearest == nullptr) {
    absl::StrAppend(&verdict.reason, "the policy has no ALLOW rule");
    return verdict;
  }
  std::vector<std::string> lacks;
  for (Matcher failed : FailedMatchers(*nearest, request)) lacks.push_back(ExplainFailure(*nearest, failed, request));
  absl::StrAppend(&verdict.reason, "the nearest is ", Quote(*nearest), ", but ", absl::StrJoin(lacks, ", and "));
  return verdict;
}

}  // namespace p2pd
