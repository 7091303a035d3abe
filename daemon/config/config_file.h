// Reads the configuration: a file, then the fragments in the folder of its name with ".d" added, in the order of
// their names. All of it or nothing: what is wrong with any of them is told at once, each with its place.
#ifndef P2PD_DAEMON_CONFIG_CONFIG_FILE_H_
#define P2PD_DAEMON_CONFIG_CONFIG_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/config/settings.h"

namespace p2pd {

// Reads one file's text into `settings`; see config_reader.h.
absl::Status ParseConfig(absl::string_view text, const std::string& file_name, Settings& settings);

// The settings of the file at `path`, which may be missing if it `may_miss`, and of the fragments
// "PATH.d/*.conf". Only root or this process's user may be able to change any of them (trusted_file.h).
// Errors: those of ReadTrustedFile; InvalidArgument, one "file:line:column: what" a line.
absl::StatusOr<Settings> LoadConfig(const std::string& path, bool may_miss);

}  // namespace p2pd

#endif  // P2PD_DAEMON_CONFIG_CONFIG_FILE_H_
