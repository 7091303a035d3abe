// p2pd in this process: core on a simulated machine, the event loop on a thread of its own, real sockets in
// a temporary folder. What a test does to it, it does through those sockets.
#ifndef P2PD_TESTS_COMPONENT_TEST_DAEMON_H_
#define P2PD_TESTS_COMPONENT_TEST_DAEMON_H_

#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/time/time.h"
#include "daemon/base/thread_scheduler.h"
#include "daemon/bus/reporter.h"
#include "daemon/core/broker.h"
#include "daemon/core/memory_fd_store.h"
#include "daemon/core/memory_journal.h"
#include "daemon/front/server.h"
#include "daemon/kernel/sim_kernel.h"
#include "daemon/service/event_loop.h"
#include "proto/p2pd/v1/broker.grpc.pb.h"

namespace p2pd {

struct TestDaemonOptions {
  ConnectionLimits connections = {};
  absl::Duration hello_deadline = absl::Seconds(30);
  size_t max_unread_events = 4096;
  // Text format; "" is deploy/simulation/two_nvme.textproto.
  std::string machine = "";
  // Text format; the default allows everything to everybody.
  std::string policy =
      "rule { name: 'all' effect: ALLOW action: [OBSERVE, EXPORT, EXPORT_CONTROL, RECEIVE_FD, MAP, MAP_MEMORY, RESET, "
      "ADMIN] } rule { name: 'drive' effect: ALLOW action: DRIVE limits { scrub: NONE } }";
  // What a reload reads.
  std::shared_ptr<std::string> next_policy = std::make_shared<std::string>();
  // Of a D-Bus bus that p2pd is to be on; "" for none.
  std::string bus = "";
  // With a store that outlives nothing, but is there: p2pd says that it survives.
  bool keeps = false;
};

class TestDaemon {
 public:
  explicit TestDaemon(TestDaemonOptions options = {});
  // As SIGTERM does it: sessions end, then everything goes.
  ~TestDaemon();

  const std::string& fd_path() const { return fd_path_; }
  const std::string& grpc_path() const { return grpc_path_; }
  SimKernel& kernel() { return *kernel_; }
  Broker& broker() { return *broker_; }
  // While p2pd has nothing to do: the next that it writes fails.
  MemoryJournal& journal() { return journal_; }

  // On a connection of its own.
  std::unique_ptr<v1::Broker::Stub> NewStub() const;

 private:
  const std::string folder_;
  const std::string fd_path_;
  const std::string grpc_path_;
  std::unique_ptr<SimKernel> kernel_;
  std::unique_ptr<EventLoop> loop_;
  MemoryJournal journal_;
  MemoryFdStore store_;
  ThreadScheduler scheduler_;
  std::optional<Broker> broker_;
  ThreadScheduler workers_;
  std::unique_ptr<Reporter> reporter_;
  std::unique_ptr<Server> server_;
  std::thread thread_;
};

}  // namespace p2pd

#endif  // P2PD_TESTS_COMPONENT_TEST_DAEMON_H_
