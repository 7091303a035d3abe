// The names that bus_server has on its bus, and how both ends get there.
#ifndef P2PD_TESTS_BENCH_BUS_H_
#define P2PD_TESTS_BENCH_BUS_H_

#include <systemd/sd-bus.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "daemon/base/unique_fd.h"

namespace p2pd::bench {

inline constexpr char kBusName[] = "p2pd.Bench";
inline constexpr char kBusPath[] = "/p2pd/Bench";
inline constexpr char kBusInterface[] = "p2pd.Bench";
inline constexpr char kGrantMethod[] = "Grant";
inline constexpr char kReadyMethod[] = "Ready";

struct CloseBus {
  void operator()(sd_bus* bus) const { sd_bus_flush_close_unref(bus); }
};
using Bus = std::unique_ptr<sd_bus, CloseBus>;

// Errors: those of the kernel or of the bus.
absl::StatusOr<Bus> ConnectBus(const std::string& address);

// Calls a method of bus_server; the descriptor that it returns is the caller's own.
absl::StatusOr<UniqueFd> CallForFd(sd_bus* bus, const char* method);

}  // namespace p2pd::bench

#endif  // P2PD_TESTS_BENCH_BUS_H_
