#include "policy/policy_file.h"

#include <utility>
#include <vector>

#include "daemon/base/errors.h"
#include "daemon/textproto/text_parser.h"
#include "daemon/textproto/trusted_file.h"
#include "google/protobuf/text_format.h"
#include "policy/rule_reader.h"
#include "proto/p2pd/v1/policy.pb.h"

namespace p2pd {

absl::StatusOr<RuleChain> ParsePolicy(absl::string_view text, const std::string& file_name, const UserDatabase& users) {
  v1::PolicyFile file;
  google::protobuf::TextFormat::ParseInfoTree tree;
  P2PD_RETURN_IF_ERROR(ParseText(text, file_name, file, tree));
  P2PD_ASSIGN_OR_RETURN(std::vector<Rule> rules, ReadRules(file, tree, file_name, users));
  return RuleChain(std::move(rules));
}

absl::StatusOr<RuleChain> LoadPolicy(const std::string& path, const UserDatabase& users) {
  P2PD_ASSIGN_OR_RETURN(const std::string text, ReadTrustedFile(path, kMaxTextBytes));
  return ParsePolicy(text, path, users);
}

}  // namespace p2pd
