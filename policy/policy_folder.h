// Which files make a policy. An administrator's folder lies over a vendor's, file by file, as systemd's do: a file
// hides the vendor's of the same name, and a symbolic link to /dev/null hides it without being one.
#ifndef P2PD_POLICY_POLICY_FOLDER_H_
#define P2PD_POLICY_POLICY_FOLDER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace p2pd {

// Where vendors put what lies beneath `folder`: "/usr/lib/X" for "/etc/X", "" for any other.
std::string VendorFolder(const std::string& folder);

// The policy files of folders, the first lying over the others: those named *.textproto, in the order of their names.
// A folder that does not exist has none. Errors: those of ListTrustedFolder.
absl::StatusOr<std::vector<std::string>> ListPolicyFolders(const std::vector<std::string>& folders);

// The policy files that `path` stands for: itself, if it is no folder; else those of the folder and its vendor's.
// Errors: NotFound, if neither exists; those of ListPolicyFolders.
absl::StatusOr<std::vector<std::string>> ListPolicyFiles(const std::string& path);

}  // namespace p2pd

#endif  // P2PD_POLICY_POLICY_FOLDER_H_
