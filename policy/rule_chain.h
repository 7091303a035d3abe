// A policy made of rules in the order of their files. Nothing is allowed unless a rule allows it; a DENY that
// matches wins over every ALLOW; otherwise the first ALLOW that matches decides. A verdict names the rule that
// decided, and a refusal for want of a rule names the one that came nearest and what it lacked.
#ifndef P2PD_POLICY_RULE_CHAIN_H_
#define P2PD_POLICY_RULE_CHAIN_H_

#include <vector>

#include "policy/policy.h"
#include "policy/rule.h"
#include "policy/rule_index.h"

namespace p2pd {

class RuleChain final : public Policy {
 public:
  // Without rules it denies everything.
  RuleChain() : RuleChain(std::vector<Rule>()) {}
  explicit RuleChain(std::vector<Rule> rules);

  Verdict Judge(const PolicyRequest& request) const override;
  int rule_count() const override { return static_cast<int>(rules_.size()); }
  const std::vector<Rule>& rules() const { return rules_; }

 private:
  std::vector<Rule> rules_;
  RuleIndex denies_;
  RuleIndex allows_;
};

}  // namespace p2pd

#endif  // P2PD_POLICY_RULE_CHAIN_H_
