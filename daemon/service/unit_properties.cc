#include "daemon/service/unit_properties.h"

#include <stdlib.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-login.h>

#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"

namespace p2pd {
namespace {

constexpr char kManager[] = "org.freedesktop.systemd1";

absl::StatusOr<std::string> OwnUnit() {
  char* unit = nullptr;
  const int found = sd_pid_get_unit(0, &unit);
  const absl::Cleanup free_unit = [unit] { free(unit); };
  if (found < 0) return absl::UnavailableError("this process runs in no unit of systemd's");
  return std::string(unit);
}

absl::StatusOr<std::string> PathOf(const std::string& unit) {
  char* path = nullptr;
  const int encoded = sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit.c_str(), &path);
  const absl::Cleanup free_path = [path] { free(path); };
  if (encoded < 0) return ErrnoError("sd_bus_path_encode", unit, -encoded);
  return std::string(path);
}

}  // namespace

UnitProperties::UnitProperties(sd_bus* bus, std::string path) : bus_(bus), path_(std::move(path)) {}

UnitProperties::~UnitProperties() { sd_bus_flush_close_unref(bus_); }

absl::StatusOr<std::unique_ptr<UnitProperties>> UnitProperties::Connect(Options options) {
  if (options.unit.empty()) {
    P2PD_ASSIGN_OR_RETURN(options.unit, OwnUnit());
  }
  P2PD_ASSIGN_OR_RETURN(std::string path, PathOf(options.unit));
  sd_bus* bus = nullptr;
  int done = sd_bus_new(&bus);
  std::unique_ptr<UnitProperties> properties(new UnitProperties(bus, std::move(path)));
  if (done >= 0) done = sd_bus_set_address(bus, options.address.c_str());
  if (done >= 0) done = sd_bus_set_method_call_timeout(bus, absl::ToInt64Microseconds(options.timeout));
  if (done >= 0) done = sd_bus_start(bus);
  if (done >= 0) return properties;
  return absl::UnavailableError(absl::StrCat("systemd at ", options.address, ": ", ErrnoName(-done)));
}

absl::StatusOr<uint32_t> UnitProperties::Get(const std::string& property) {
  MutexLock lock(mutex_);
  sd_bus_error error = SD_BUS_ERROR_NULL;
  uint32_t value = 0;
  const int done = sd_bus_get_property_trivial(bus_, kManager, path_.c_str(), "org.freedesktop.systemd1.Service",
                                               property.c_str(), &error, 'u', &value);
  const absl::Cleanup free_error = [&error] { sd_bus_error_free(&error); };
  if (done >= 0) return value;
  const std::string why = error.message == nullptr ? ErrnoName(-done) : error.message;
  return absl::UnavailableError(absl::StrCat("systemd does not say its ", property, ": ", why));
}

}  // namespace p2pd
