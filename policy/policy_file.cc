#include "policy/policy_file.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/text_format.h"
#include "policy/problem_list.h"
#include "policy/rule_reader.h"
#include "policy/syntax_errors.h"
#include "policy/trusted_file.h"
#include "proto/p2pd/v1/policy.pb.h"

namespace p2pd {
namespace {

using ::google::protobuf::TextFormat;

constexpr int kMaxDepth = 8;  // of nested messages; a policy has three

}  // namespace

absl::StatusOr<RuleChain> ParsePolicy(absl::string_view text, const std::string& file_name, const UserDatabase& users) {
  ProblemList problems(file_name);
  if (text.size() > kMaxPolicyBytes) {
    problems.Add({}, absl::StrCat("has ", text.size(), " bytes, expected at most ", kMaxPolicyBytes));
    return problems.ToStatus();
  }
  SyntaxErrors errors(text, v1::PolicyFile::descriptor()->file(), problems);
  TextFormat::ParseInfoTree tree;
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  parser.WriteLocationsTo(&tree);
  parser.SetRecursionLimit(kMaxDepth);
  google::protobuf::io::ArrayInputStream input(text.data(), static_cast<int>(text.size()));
  v1::PolicyFile file;
  const bool parsed = parser.Parse(&input, &file);
  if (!parsed && problems.empty()) problems.Add({}, "is not in protobuf's text format");
  P2PD_RETURN_IF_ERROR(problems.ToStatus());
  P2PD_ASSIGN_OR_RETURN(std::vector<Rule> rules, ReadRules(file, tree, file_name, users));
  return RuleChain(std::move(rules));
}

absl::StatusOr<RuleChain> LoadPolicy(const std::string& path, const UserDatabase& users) {
  P2PD_ASSIGN_OR_RETURN(const std::string text, ReadTrustedFile(path, kMaxPolicyBytes));
  return ParsePolicy(text, path, users);
}

}  // namespace p2pd
