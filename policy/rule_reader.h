// Turns the messages of parsed policy files into rules, and refuses what could not mean what it says: names
// that nobody has, patterns that match nothing, conditions on what no request of the rule's actions has.
#ifndef P2PD_POLICY_RULE_READER_H_
#define P2PD_POLICY_RULE_READER_H_

#include <deque>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/text_format.h"
#include "policy/rule.h"
#include "policy/user_database.h"
#include "proto/p2pd/v1/policy.pb.h"

namespace p2pd {

struct PolicySource {
  std::string file_name;  // what errors and verdicts call it
  v1::PolicyFile file;
  google::protobuf::TextFormat::ParseInfoTree tree;  // where in it each field was
};

// The rules of all sources in their order: all of them, or all that is wrong with them (InvalidArgument, see
// problem_list.h). With `warnings`, users and groups that do not exist are no error: they are told of there, and
// nobody is meant by them.
absl::StatusOr<std::vector<Rule>> ReadRules(const std::deque<PolicySource>& sources, const UserDatabase& users,
                                            std::vector<std::string>* warnings = nullptr);

}  // namespace p2pd

#endif  // P2PD_POLICY_RULE_READER_H_
