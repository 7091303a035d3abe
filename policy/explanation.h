// Requests, and why rules miss them, in words.
#ifndef P2PD_POLICY_EXPLANATION_H_
#define P2PD_POLICY_EXPLANATION_H_

#include <string>

#include "policy/policy.h"
#include "policy/rule.h"

namespace p2pd {

// "MAP BAR 2 of 0000:01:00.0 for 0000:02:00.0"
std::string Describe(const PolicyRequest& request);

// Why `failed` does not hold, as the end of a sentence about the rule: "it is for uid 2002".
std::string ExplainFailure(const Rule& rule, Matcher failed, const PolicyRequest& request);

}  // namespace p2pd

#endif  // P2PD_POLICY_EXPLANATION_H_
