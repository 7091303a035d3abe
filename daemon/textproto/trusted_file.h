// Reads a file whose content is to be believed. It is opened once; what is checked and what is read is that
// one open file, never the path again. Trusted is what only root or this process's own user can have written.
#ifndef P2PD_DAEMON_TEXTPROTO_TRUSTED_FILE_H_
#define P2PD_DAEMON_TEXTPROTO_TRUSTED_FILE_H_

#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace p2pd {

// Whether a file with this `status` may be believed by a process of user `self`: a regular file of at most
// `max_bytes`, owned by root or `self`, that neither group nor others may write. (A POSIX ACL that lets others
// write shows in the group bits.) Errors: FailedPrecondition, with what to do about it.
absl::Status CheckTrusted(const struct stat& status, const std::string& path, uid_t self, size_t max_bytes);

// The whole of a trusted file. A symbolic link is refused. Errors: NotFound and other errnos of open(2);
// FailedPrecondition; Unavailable if the file changed while it was read (replace files by rename(2)).
absl::StatusOr<std::string> ReadTrustedFile(const std::string& path, size_t max_bytes);

// The paths of the files in the folder at `path` whose names end in `suffix` and do not start with a dot, in
// the order of their bytes; none where there is no such folder. It too must be one that only root or this
// process's user can change. Errors: those of ReadTrustedFile.
absl::StatusOr<std::vector<std::string>> ListTrustedFolder(const std::string& path, absl::string_view suffix);

}  // namespace p2pd

#endif  // P2PD_DAEMON_TEXTPROTO_TRUSTED_FILE_H_
