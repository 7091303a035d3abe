// Who a rule is for, in numbers and patterns.
#ifndef P2PD_POLICY_SUBJECT_MATCH_H_
#define P2PD_POLICY_SUBJECT_MATCH_H_

#include <cstdint>
#include <string>
#include <vector>

#include "policy/glob.h"
#include "policy/policy.h"
#include "policy/truth.h"

namespace p2pd {

// All of: a user or group, a unit, a user unit, a label; each where there are any. Of nothing at all: nobody.
struct SubjectMatch {
  std::vector<uint32_t> users;
  std::vector<uint32_t> groups;  // primary or supplementary
  std::vector<Glob> units;
  std::vector<Glob> user_units;
  std::vector<Glob> labels;

  auto operator<=>(const SubjectMatch&) const = default;

  bool NamesPeople() const { return !users.empty() || !groups.empty(); }
  Truth Matches(const Subject& subject) const;
  // "uid 1000 or gid 44 in unit spdk.service"
  std::string ToString() const;
};

}  // namespace p2pd

#endif  // P2PD_POLICY_SUBJECT_MATCH_H_
