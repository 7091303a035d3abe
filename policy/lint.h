// What is odd about a policy though it is a sound one, and what it comes to.
#ifndef P2PD_POLICY_LINT_H_
#define P2PD_POLICY_LINT_H_

#include <string>
#include <vector>

#include "policy/rule.h"

namespace p2pd {

// Rules that never decide anything, because another matches whatever they match and comes first: a DENY anywhere, or a
// rule of the same effect before them. One line each, "file:line: rule "x" never ...". Finds what can be told from
// the rules' words alone, never what is not so.
std::vector<std::string> FindIdleRules(const std::vector<Rule>& rules);

// Rules whose own conditions contradict each other, so that an ALLOW matches nothing (a DENY, only what cannot be
// told): devices of a set that are at no node that the rule wants; one device as exporter and as importer, a path that
// the kernel would refuse, without saying unsupported_path.
std::vector<std::string> FindImpossibleRules(const std::vector<Rule>& rules);

// One line of "who can reach what".
struct Reach {
  std::string who;
  bool may = false;
  std::string actions;
  std::string exporter;  // "" for any
  std::string importer;
  std::string conditions;  // "BAR 2, READ, same switch"
  std::string rule;        // its name
  std::string origin;
};
// A line for each rule: what is denied, then what is allowed; by who it is for.
std::vector<Reach> WhoCanReachWhat(const std::vector<Rule>& rules);

}  // namespace p2pd

#endif  // P2PD_POLICY_LINT_H_
