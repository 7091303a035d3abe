#include "policy/policy_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "daemon/base/errors.h"
#include "daemon/textproto/trusted_file.h"

namespace p2pd {
namespace {

constexpr char kSuffix[] = ".textproto";

// Only this link is one that hides: every other is refused when it is read.
bool HidesAll(const std::string& path) {
  char target[sizeof("/dev/null")] = {};
  const ssize_t length = readlink(path.c_str(), target, sizeof(target));
  return length >= 0 && absl::string_view(target, static_cast<size_t>(length)) == "/dev/null";
}

bool IsFolder(const std::string& path) {
  struct stat status = {};
  return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

}  // namespace

std::string VendorFolder(const std::string& folder) {
  absl::string_view rest = folder;
  return absl::ConsumePrefix(&rest, "/etc/") ? absl::StrCat("/usr/lib/", rest) : "";
}

absl::StatusOr<std::vector<std::string>> ListPolicyFolders(const std::vector<std::string>& folders) {
  std::map<std::string, std::string> by_name;
  for (const std::string& folder : folders) {
    P2PD_ASSIGN_OR_RETURN(const std::vector<std::string> paths, ListTrustedFolder(folder, kSuffix));
    for (const std::string& path : paths) by_name.emplace(path.substr(folder.size()), path);
  }
  std::vector<std::string> files;
  for (const auto& [name, path] : by_name) {
    if (!HidesAll(path)) files.push_back(path);
  }
  return files;
}

absl::StatusOr<std::vector<std::string>> ListPolicyFiles(const std::string& path) {
  std::string folder = path;
  while (folder.size() > 1 && absl::EndsWith(folder, "/")) folder.pop_back();
  const std::string vendor = VendorFolder(folder);
  struct stat status = {};
  const int error = lstat(folder.c_str(), &status) == 0 ? 0 : errno;
  if (error != 0 && (error != ENOENT || !IsFolder(vendor))) {
    return ErrnoError("read the policy", path, error, "put rules there; see p2pd-policy(5)");
  }
  if (error == 0 && !IsFolder(folder)) return std::vector<std::string>{path};
  return ListPolicyFolders(vendor.empty() ? std::vector<std::string>{folder}
                                          : std::vector<std::string>{folder, vendor});
}

}  // namespace p2pd
