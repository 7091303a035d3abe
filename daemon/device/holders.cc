#include "daemon/device/holders.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "daemon/base/errors.h"
#include "daemon/base/process.h"

namespace p2pd {
namespace {

constexpr size_t kNamed = 3;

FileIdentity Identity(const struct stat& status) {
  if (S_ISCHR(status.st_mode)) return {.device = status.st_rdev};
  return {.file_system = status.st_dev, .inode = status.st_ino};
}

std::vector<std::string> Entries(const std::string& path) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(path.c_str()), closedir);
  while (directory != nullptr) {
    const dirent* entry = readdir(directory.get());
    if (entry == nullptr) break;
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  return names;
}

bool IsFile(const std::string& path, const FileIdentity& file) {
  struct stat status = {};
  return stat(path.c_str(), &status) == 0 && Identity(status) == file;
}

bool HasOpen(const std::string& process, const FileIdentity& file) {
  for (const std::string& name : Entries(process + "/fd")) {
    if (IsFile(absl::StrCat(process, "/fd/", name), file)) return true;
  }
  return false;
}

// map_files would need CAP_SYS_ADMIN to be followed; the path and the inode in `maps` do not.
bool HasMapped(const std::string& process, const FileIdentity& file) {
  std::ifstream maps(process + "/maps");
  for (std::string line; std::getline(maps, line);) {
    // 7f0000000000-7f0000001000 rw-s 00000000 00:1f 1234  /dev/vfio/devices/vfio0
    const std::vector<std::string> fields = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (fields.size() < 6) continue;
    if (file.device != 0) {
      if (absl::StrContains(fields[5], "/vfio") && IsFile(fields[5], file)) return true;
      continue;
    }
    const std::pair<std::string, std::string> numbers = absl::StrSplit(fields[3], ':');
    unsigned major = 0;
    unsigned minor = 0;
    uint64_t inode = 0;
    if (absl::SimpleHexAtoi(numbers.first, &major) && absl::SimpleHexAtoi(numbers.second, &minor) &&
        absl::SimpleAtoi(fields[4], &inode) && inode == file.inode && makedev(major, minor) == file.file_system) {
      return true;
    }
  }
  return false;
}

}  // namespace

absl::StatusOr<FileIdentity> IdentityOf(FdRef file) {
  struct stat status = {};
  if (fstat(file.get(), &status) != 0) return ErrnoError("fstat", "device", errno);
  return Identity(status);
}

std::vector<FileHolder> FindHolders(const FileIdentity& file) {
  std::vector<FileHolder> holders;
  for (const std::string& name : Entries("/proc")) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(name, &pid) || pid == getpid()) continue;
    const std::string process = absl::StrCat("/proc/", pid);
    if (HasOpen(process, file) || HasMapped(process, file)) {
      holders.push_back({.pid = pid, .comm = CommOf(pid), .unit = UnitOf(pid)});
    }
  }
  std::sort(holders.begin(), holders.end(), [](const FileHolder& a, const FileHolder& b) { return a.pid < b.pid; });
  return holders;
}

std::string Describe(const std::vector<FileHolder>& holders) {
  std::string text;
  for (size_t i = 0; i < std::min(holders.size(), kNamed); ++i) {
    const FileHolder& holder = holders[i];
    absl::StrAppend(&text, i == 0 ? "" : ", ", holder.comm, " (pid ", holder.pid, holder.unit.empty() ? "" : ", ",
                    holder.unit, ")");
  }
  if (holders.size() > kNamed) absl::StrAppend(&text, " and ", holders.size() - kNamed, " more");
  return text;
}

}  // namespace p2pd
