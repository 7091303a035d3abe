// Expectations that are kept beside a policy (PolicyTest in policy.proto), and what becomes of them.
#ifndef P2PD_POLICY_EXPECTATIONS_H_
#define P2PD_POLICY_EXPECTATIONS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "policy/user_database.h"

namespace p2pd {

struct FailedExpectation {
  std::string place;    // "spdk.expect:12"
  std::string request;  // "uid 1000: DRIVE 0000:01:00.0"
  std::string expected;
  std::string actual;
  std::string reason;  // the verdict's
};

struct ExpectationReport {
  int expectations = 0;
  std::vector<FailedExpectation> failed;
};

// Tries the policy that the file at `path` names, or the one beside it. Errors: those of LoadPolicyFiles, of the
// policy and of the file itself, which is held to be as trusted.
absl::StatusOr<ExpectationReport> TryExpectations(const std::string& path, const UserDatabase& users);

}  // namespace p2pd

#endif  // P2PD_POLICY_EXPECTATIONS_H_
