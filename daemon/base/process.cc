#include "daemon/base/process.h"

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

}  // namespace p2pd
