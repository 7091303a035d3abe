#include "daemon/bus/unit_killer.h"

#include <signal.h>
#include <systemd/sd-bus.h>

#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"
#include "daemon/bus/bus_address.h"

namespace p2pd {
namespace {

constexpr char kSystemd[] = "org.freedesktop.systemd1";
constexpr char kPath[] = "/org/freedesktop/systemd1";
constexpr char kManager[] = "org.freedesktop.systemd1.Manager";

absl::Status Unkillable(absl::string_view unit, absl::string_view why) {
  return MakeError(absl::StatusCode::kFailedPrecondition, {.step = "KillUnit", .object = std::string(unit)}, why);
}

absl::Status NotKilled(const std::string& unit, absl::string_view why) {
  return MakeError(absl::StatusCode::kUnavailable,
                   {.step = "KillUnit", .object = unit, .hint = "systemctl kill --signal=KILL does the same"}, why);
}

}  // namespace

absl::Status CheckKillable(absl::string_view unit, absl::string_view own) {
  if (unit.empty()) return Unkillable("the holder", "it runs in no unit that p2pd knows");
  if (unit == own) return Unkillable(unit, "it is p2pd's own unit");
  if (unit == "init.scope") return Unkillable(unit, "it is PID 1's unit");
  if (absl::StartsWith(unit, "user@")) return Unkillable(unit, "it is all that a user's manager runs");
  if (!absl::EndsWith(unit, ".service") && !absl::EndsWith(unit, ".scope")) {
    return Unkillable(unit, "it is neither a service nor a scope");
  }
  return absl::OkStatus();
}

absl::Status UnitKiller::Kill(const std::string& unit) const {
  P2PD_RETURN_IF_ERROR(CheckKillable(unit, options_.own_unit));
  const std::string address = BusAddress(options_.address);
  sd_bus* bus = nullptr;
  sd_bus_error error = SD_BUS_ERROR_NULL;
  const absl::Cleanup clean = [&] {
    sd_bus_error_free(&error);
    sd_bus_flush_close_unref(bus);
  };
  int done = sd_bus_new(&bus);
  if (done >= 0) done = sd_bus_set_address(bus, address.c_str());
  if (done >= 0) done = sd_bus_set_bus_client(bus, 1);
  if (done >= 0) done = sd_bus_set_method_call_timeout(bus, absl::ToInt64Microseconds(options_.timeout));
  if (done >= 0) done = sd_bus_start(bus);
  if (done < 0) return NotKilled(unit, absl::StrCat("there is no bus at ", address, ": ", ErrnoName(-done)));
  done = sd_bus_call_method(bus, kSystemd, kPath, kManager, "KillUnit", &error, nullptr, "ssi", unit.c_str(), "all",
                            SIGKILL);
  if (done >= 0) return absl::OkStatus();
  return NotKilled(unit, error.message == nullptr ? ErrnoName(-done) : error.message);
}

}  // namespace p2pd
