// A second reading of policies, from what policy.proto's comments say and nothing else: it works on the messages as
// they are, tries every rule, and shares no code with policy/. What it is held against must agree with it.
#ifndef P2PD_POLICY_TESTING_NAIVE_POLICY_H_
#define P2PD_POLICY_TESTING_NAIVE_POLICY_H_

#include <string>
#include <utility>
#include <vector>

#include "policy/fake_user_database.h"
#include "policy/policy.h"
#include "proto/p2pd/v1/policy.pb.h"

namespace p2pd {

class NaivePolicy {
 public:
  // Files that the reader accepts, in their order.
  explicit NaivePolicy(std::vector<v1::PolicyFile> files, FakeUserDatabase users = {})
      : files_(std::move(files)), users_(std::move(users)) {}

  // The rule that decides; nullptr if none does, and then nothing is allowed.
  const v1::Rule* Decide(const PolicyRequest& request) const;

  // "" if `verdict` is what these files say of the request; else what is wrong with it.
  std::string Disagreement(const PolicyRequest& request, const Verdict& verdict) const;

 private:
  std::vector<v1::PolicyFile> files_;
  FakeUserDatabase users_;
};

}  // namespace p2pd

#endif  // P2PD_POLICY_TESTING_NAIVE_POLICY_H_
