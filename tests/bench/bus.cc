#include "tests/bench/bus.h"

#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"

namespace p2pd::bench {

absl::StatusOr<Bus> ConnectBus(const std::string& address) {
  sd_bus* made = nullptr;
  int result = sd_bus_new(&made);
  Bus bus(made);
  if (result >= 0) result = sd_bus_set_address(bus.get(), address.c_str());
  if (result >= 0) result = sd_bus_set_bus_client(bus.get(), 1);
  if (result >= 0) result = sd_bus_negotiate_fds(bus.get(), 1);
  if (result >= 0) result = sd_bus_start(bus.get());
  if (result < 0) return ErrnoError("connect to the bus", address, -result);
  return bus;
}

absl::StatusOr<UniqueFd> CallForFd(sd_bus* bus, const char* method) {
  sd_bus_error error = SD_BUS_ERROR_NULL;
  sd_bus_message* reply = nullptr;
  int fd = -1;
  int result = sd_bus_call_method(bus, kBusName, kBusPath, kBusInterface, method, &error, &reply, "");
  if (result >= 0) result = sd_bus_message_read(reply, "h", &fd);
  auto mine = result >= 0 ? Duplicate(FdRef(fd))
                          : absl::StatusOr<UniqueFd>(ErrnoError(
                                absl::StrCat("call ", method), error.message == nullptr ? "" : error.message, -result));
  sd_bus_message_unref(reply);
  sd_bus_error_free(&error);
  return mine;
}

}  // namespace p2pd::bench
