#include "daemon/service/notify.h"

#include <systemd/sd-daemon.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace p2pd {
namespace {

// A newline would start another assignment.
std::string StatusLine(absl::string_view status) {
  return absl::StrCat("STATUS=", absl::StrReplaceAll(status, {{"\n", " "}}));
}

}  // namespace

void NotifyReady(absl::string_view status) { sd_notify(0, absl::StrCat("READY=1\n", StatusLine(status)).c_str()); }

void NotifyReloading() { sd_notify(0, "RELOADING=1"); }

void NotifyStatus(absl::string_view status) { sd_notify(0, StatusLine(status).c_str()); }

void NotifyStopping(absl::string_view status) {
  sd_notify(0, absl::StrCat("STOPPING=1\n", StatusLine(status)).c_str());
}

}  // namespace p2pd
