// Turns the messages of a parsed policy file into rules, and refuses what could not mean what it says: names
// that nobody has, patterns that match nothing, conditions that no request of the rule's actions can meet (a
// DENY that never matches would protect nothing).
#ifndef P2PD_POLICY_RULE_READER_H_
#define P2PD_POLICY_RULE_READER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/text_format.h"
#include "policy/rule.h"
#include "policy/user_database.h"
#include "proto/p2pd/v1/policy.pb.h"

namespace p2pd {

// `tree` says where in `file_name` each field of `file` was. All of the rules, or all that is wrong with them
// (InvalidArgument, see problem_list.h).
absl::StatusOr<std::vector<Rule>> ReadRules(const v1::PolicyFile& file,
                                            const google::protobuf::TextFormat::ParseInfoTree& tree,
                                            const std::string& file_name, const UserDatabase& users);

}  // namespace p2pd

#endif  // P2PD_POLICY_RULE_READER_H_
