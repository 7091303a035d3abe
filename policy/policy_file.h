// Reads policy files (proto/p2pd/v1/policy.proto, in protobuf's text format). All or nothing: files with
// anything wrong in them give no policy, only the list of what is wrong, each with file, line, column and what
// was expected instead.
#ifndef P2PD_POLICY_POLICY_FILE_H_
#define P2PD_POLICY_POLICY_FILE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "policy/rule_chain.h"
#include "policy/user_database.h"

namespace p2pd {

// `file_name` is what errors and verdicts call the text. Errors: InvalidArgument, one "file:line:column: what"
// a line (daemon/textproto/problem_list.h).
absl::StatusOr<RuleChain> ParsePolicy(absl::string_view text, const std::string& file_name, const UserDatabase& users);

// The policy of these files, in this order. Each must be one that only root or this process's user can have written
// (daemon/textproto/trusted_file.h). Errors: those of ReadTrustedFile and of ParsePolicy, of all files together. With
// `warnings`, users and groups that do not exist are told of there, and are no error.
absl::StatusOr<RuleChain> LoadPolicyFiles(const std::vector<std::string>& files, const UserDatabase& users,
                                          std::vector<std::string>* warnings = nullptr);

// The policy that `path`, a file or a folder, stands for: see policy_folder.h.
absl::StatusOr<RuleChain> LoadPolicy(const std::string& path, const UserDatabase& users);

}  // namespace p2pd

#endif  // P2PD_POLICY_POLICY_FILE_H_
