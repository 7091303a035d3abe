#include "policy/policy.h"

namespace p2pd {

absl::string_view ActionName(Action action) {
  switch (action) {  // No default: the compiler finds a forgotten action.
    case Action::kObserve:
      return "OBSERVE";
    case Action::kExport:
      return "EXPORT";
    case Action::kExportControl:
      return "EXPORT_CONTROL";
    case Action::kReceiveFd:
      return "RECEIVE_FD";
    case Action::kMap:
      return "MAP";
    case Action::kMapMemory:
      return "MAP_MEMORY";
    case Action::kDrive:
      return "DRIVE";
    case Action::kReset:
      return "RESET";
    case Action::kAdmin:
      return "ADMIN";
  }
  return "UNKNOWN";
}

absl::string_view AccessName(AskedAccess access) {
  switch (access) {
    case AskedAccess::kRead:
      return "READ";
    case AskedAccess::kWrite:
      return "WRITE";
    case AskedAccess::kReadWrite:
      return "READ_WRITE";
  }
  return "UNKNOWN";
}

}  // namespace p2pd
