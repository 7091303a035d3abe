// A broker over D-Bus, as logind is one: a method that returns a descriptor, served with sd-bus. Says READY=1 once it
// has its name, and serves until it is killed.
//
// usage: bus_server ADDRESS MACHINE_FILE
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>

#include <fstream>
#include <sstream>

#include "tests/bench/bus.h"
#include "tests/bench/sim_part.h"

namespace p2pd::bench {
namespace {

struct Server {
  SimPart kernel;
  UniqueFd ready;
};

int ReplyWith(sd_bus_message* call, const absl::StatusOr<UniqueFd>& fd) {
  if (!fd.ok()) {
    return sd_bus_reply_method_errorf(call, SD_BUS_ERROR_FAILED, "%s", std::string(fd.status().message()).c_str());
  }
  return sd_bus_reply_method_return(call, "h", fd->get());
}

// What p2pd does for a RAW export: a new dma-buf.
int Grant(sd_bus_message* call, void* server, sd_bus_error*) {
  return ReplyWith(call, static_cast<Server*>(server)->kernel.Grant());
}

// The least that a broker can do: a descriptor that is there already.
int Ready(sd_bus_message* call, void* server, sd_bus_error*) {
  return sd_bus_reply_method_return(call, "h", static_cast<Server*>(server)->ready.get());
}

const sd_bus_vtable kMethods[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD(kGrantMethod, "", "h", Grant, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD(kReadyMethod, "", "h", Ready, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

int Serve(const char* address, Server& server) {
  auto bus = ConnectBus(address);
  if (!bus.ok()) {
    fprintf(stderr, "bus_server: %s\n", std::string(bus.status().message()).c_str());
    return EXIT_FAILURE;
  }
  int result = sd_bus_add_object_vtable(bus->get(), nullptr, kBusPath, kBusInterface, kMethods, &server);
  if (result >= 0) result = sd_bus_request_name(bus->get(), kBusName, 0);
  if (result >= 0) sd_notify(0, "READY=1");
  while (result >= 0) {
    result = sd_bus_process(bus->get(), nullptr);
    if (result == 0) result = sd_bus_wait(bus->get(), UINT64_MAX);
  }
  return EXIT_FAILURE;
}

int Main(int argc, char** argv) {
  if (argc != 3) return 2;
  std::stringstream machine;
  machine << std::ifstream(argv[2]).rdbuf();
  auto kernel = SimPart::Create(machine.str());
  if (!kernel.ok()) {
    fprintf(stderr, "bus_server: %s\n", std::string(kernel.status().message()).c_str());
    return EXIT_FAILURE;
  }
  auto ready = kernel->Grant();
  if (!ready.ok()) return EXIT_FAILURE;
  Server server = {.kernel = *std::move(kernel), .ready = *std::move(ready)};
  return Serve(argv[1], server);
}

}  // namespace
}  // namespace p2pd::bench

int main(int argc, char** argv) { return p2pd::bench::Main(argc, argv); }
