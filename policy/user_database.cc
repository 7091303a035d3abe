#include "policy/user_database.h"

#include <grp.h>
#include <pwd.h>

#include <cerrno>
#include <vector>

#include "daemon/base/errors.h"

namespace p2pd {
namespace {

constexpr size_t kFirstBuffer = 4096;
constexpr size_t kLargestBuffer = size_t{16} << 20;  // a group of very many members

// Runs getpwnam_r or getgrnam_r with a buffer that grows until the entry fits.
template <typename Entry>
absl::StatusOr<std::optional<uint32_t>> Find(const char* step, const std::string& name,
                                             int (*call)(const char*, Entry*, char*, size_t, Entry**),
                                             uint32_t Entry::*id) {
  // A C string ends at its first NUL: "root\0x" must not find root.
  if (name.find('\0') != std::string::npos) return std::nullopt;
  std::vector<char> buffer(kFirstBuffer);
  while (true) {
    Entry entry = {};
    Entry* found = nullptr;
    const int error = call(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (found != nullptr) return found->*id;
    if (error == EINTR) continue;
    if (error == ERANGE && buffer.size() < kLargestBuffer) {
      buffer.resize(buffer.size() * 2);
      continue;
    }
    // What databases answer for "no such name", see getpwnam(3).
    if (error == 0 || error == ENOENT || error == ESRCH) return std::nullopt;
    return ErrnoError(step, name, error, "the user database did not answer; numbers need no look-up");
  }
}

}  // namespace

absl::StatusOr<std::optional<uint32_t>> SystemUserDatabase::FindUser(const std::string& name) const {
  return Find("getpwnam_r", name, getpwnam_r, &passwd::pw_uid);
}

absl::StatusOr<std::optional<uint32_t>> SystemUserDatabase::FindGroup(const std::string& name) const {
  return Find("getgrnam_r", name, getgrnam_r, &group::gr_gid);
}

}  // namespace p2pd
