#include "policy/policy_file.h"

#include <deque>
#include <utility>

#include "daemon/base/errors.h"
#include "daemon/textproto/problem_list.h"
#include "daemon/textproto/text_parser.h"
#include "daemon/textproto/trusted_file.h"
#include "policy/policy_folder.h"
#include "policy/rule_reader.h"

namespace p2pd {
namespace {

absl::Status Parse(absl::string_view text, const std::string& file_name, std::deque<PolicySource>& sources) {
  PolicySource& source = sources.emplace_back();
  source.file_name = file_name;
  return ParseText(text, file_name, source.file, source.tree);
}

absl::Status Load(const std::string& path, std::deque<PolicySource>& sources) {
  P2PD_ASSIGN_OR_RETURN(const std::string text, ReadTrustedFile(path, kMaxTextBytes));
  return Parse(text, path, sources);
}

}  // namespace

absl::StatusOr<RuleChain> ParsePolicy(absl::string_view text, const std::string& file_name, const UserDatabase& users) {
  std::deque<PolicySource> sources;
  P2PD_RETURN_IF_ERROR(Parse(text, file_name, sources));
  P2PD_ASSIGN_OR_RETURN(std::vector<Rule> rules, ReadRules(sources, users));
  return RuleChain(std::move(rules));
}

absl::StatusOr<RuleChain> LoadPolicyFiles(const std::vector<std::string>& files, const UserDatabase& users,
                                          std::vector<std::string>* warnings) {
  std::deque<PolicySource> sources;
  absl::Status status;
  for (const std::string& file : files) status = JoinProblems(status, Load(file, sources));
  if (!status.ok()) return status;
  P2PD_ASSIGN_OR_RETURN(std::vector<Rule> rules, ReadRules(sources, users, warnings));
  return RuleChain(std::move(rules));
}

absl::StatusOr<RuleChain> LoadPolicy(const std::string& path, const UserDatabase& users) {
  P2PD_ASSIGN_OR_RETURN(const std::vector<std::string> files, ListPolicyFiles(path));
  return LoadPolicyFiles(files, users);
}

}  // namespace p2pd
