// Feeds p2pd-config with whatever comes, as a packet through a real socket. It must answer each with one well-formed
// reply, and serve nothing but the two functions of its machine that it may, by their one spelling.
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>

#include "absl/strings/string_view.h"
#include "daemon/device/testing/pci_machine.h"
#include "daemon/helper/config_protocol.h"
#include "daemon/helper/config_server.h"

namespace p2pd {
namespace {

using ::p2pd::testing::FunctionSpec;

void Require(bool holds, const char* what) {
  if (holds) return;
  fprintf(stderr, "%s\n", what);
  abort();
}

class Machine {
 public:
  Machine() {
    const FunctionSpec bridge = {.address = "0000:00:01.0",
                                 .above = "pci0000:00",
                                 .class_code = 0x060400,
                                 .express = testing::Express::kRootPort};
    const FunctionSpec device = {.address = "10000:e1:00.0", .above = "0000:00:01.0", .ats = 1};
    for (const FunctionSpec& spec : {bridge, device, FunctionSpec{.address = "0000:00:02.0", .above = "pci0000:00"}}) {
      machine_.Add(spec);
    }
    machine_.OfferByVfio(device.address);
    served_ = {{bridge.address, testing::ConfigOf(bridge)}, {device.address, testing::ConfigOf(device)}};
  }

  void Run(absl::string_view request) const {
    int fds[2];
    Require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0, "no socketpair");
    const UniqueFd ours(fds[0]);
    const UniqueFd theirs(fds[1]);
    Require(send(ours.get(), request.data(), request.size(), 0) == static_cast<ssize_t>(request.size()), "send failed");
    shutdown(ours.get(), SHUT_WR);
    Require(ServeConfig(theirs, machine_.sysfs(), getuid()).ok(), "it ended with an error");
    char reply[kMaxConfigReply + 1];
    const ssize_t size = recv(ours.get(), reply, sizeof(reply), MSG_DONTWAIT);
    if (request.empty()) return Require(size < 0, "an empty packet ends the connection");
    Check(request, absl::string_view(reply, size < 0 ? 0 : size));
    Require(recv(ours.get(), reply, sizeof(reply), MSG_DONTWAIT) < 0, "a second reply");
  }

 private:
  void Check(absl::string_view request, absl::string_view reply) const {
    ConfigReplyHeader header;
    Require(reply.size() >= sizeof(header), "no reply");
    memcpy(&header, reply.data(), sizeof(header));
    reply.remove_prefix(sizeof(header));
    const auto served = served_.find(std::string(request));
    if (served == served_.end()) return Require(header.error > 0 && reply.empty(), "served what it may not");
    Require(header.error == 0 && reply == served->second, "not served what it may");
  }

  testing::PciMachine machine_;
  std::map<std::string, std::string> served_;
};

}  // namespace
}  // namespace p2pd

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const p2pd::Machine machine;
  machine.Run(absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
