// Reads policy files (proto/p2pd/v1/policy.proto, in protobuf's text format). All or nothing: a file with
// anything wrong in it gives no policy, only the list of what is wrong, each with file, line, column and what
// was expected instead.
#ifndef P2PD_POLICY_POLICY_FILE_H_
#define P2PD_POLICY_POLICY_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "policy/rule_chain.h"
#include "policy/user_database.h"

namespace p2pd {

// `file_name` is what errors and verdicts call the text. Errors: InvalidArgument, one "file:line:column: what"
// a line (daemon/textproto/problem_list.h).
absl::StatusOr<RuleChain> ParsePolicy(absl::string_view text, const std::string& file_name, const UserDatabase& users);

// The policy in the file at `path`, which must be one that only root or this process's user can have written
// (daemon/textproto/trusted_file.h). Errors: those of ReadTrustedFile and of ParsePolicy.
absl::StatusOr<RuleChain> LoadPolicy(const std::string& path, const UserDatabase& users);

}  // namespace p2pd

#endif  // P2PD_POLICY_POLICY_FILE_H_
