#include "daemon/base/process.h"

#include <errno.h>
#include <stdlib.h>
#include <systemd/sd-login.h>

#include <fstream>

#include "absl/strings/str_cat.h"

namespace p2pd {

std::string CommOf(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/comm"));
  std::string comm;
  std::getline(file, comm);
  return comm;
}

std::string UnitOf(pid_t pid) {
  char* unit = nullptr;
  if (sd_pid_get_unit(pid, &unit) < 0) return "";
  std::string name = unit;
  free(unit);
  return name;
}

std::optional<std::string> UserUnitOf(pid_t pid) {
  char* unit = nullptr;
  const int result = sd_pid_get_user_unit(pid, &unit);
  if (result == -ENODATA) return "";
  if (result < 0) return std::nullopt;
  std::string name = unit;
  free(unit);
  return name;
}

}  // namespace p2pd
