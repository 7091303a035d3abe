// Policies and requests made of few different parts, so that rules often meet requests, and miss them by little.
#ifndef P2PD_POLICY_TESTING_RANDOM_POLICY_H_
#define P2PD_POLICY_TESTING_RANDOM_POLICY_H_

#include <functional>

#include "policy/policy.h"
#include "proto/p2pd/v1/policy.pb.h"

namespace p2pd {

// A number from 0 to `below` - 1.
using Choose = std::function<int(int below)>;

// Rules that the reader accepts with FakeUserDatabase; sets "set 0" and "set 1", if `with_sets`. Names of rules begin
// with `name`.
v1::PolicyFile RandomPolicy(const Choose& choose, int rules, const std::string& name = "r", bool with_sets = true);

PolicyRequest RandomRequest(const Choose& choose);

}  // namespace p2pd

#endif  // P2PD_POLICY_TESTING_RANDOM_POLICY_H_
