// p2pd's place on the bus: the connection, the name org.p2pd.Broker1, and both again when the bus was restarted. A
// machine without a bus is told of in one log line, and asked again ever more rarely.
//
// Everything on the loop's thread but Connection().
#ifndef P2PD_DAEMON_BUS_BUS_SERVICE_H_
#define P2PD_DAEMON_BUS_BUS_SERVICE_H_

#include <systemd/sd-bus.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "daemon/base/mutex.h"
#include "daemon/bus/bus_calls.h"
#include "daemon/bus/bus_model.h"
#include "daemon/bus/bus_objects.h"
#include "daemon/bus/sleep_watch.h"
#include "daemon/core/broker.h"
#include "daemon/service/event_loop.h"

namespace p2pd {

struct BusOptions {
  std::string address = "";  // "": the system bus
  absl::Duration first_retry = absl::Seconds(1);
  absl::Duration last_retry = absl::Seconds(60);
};

class BusService {
 public:
  // All outlive the service. `on_log_level`: somebody has changed it over the bus.
  BusService(EventLoop& loop, Broker& broker, Scheduler& workers, const BusModel& model, BusOptions options,
             std::function<void()> on_log_level);
  ~BusService();

  // Connects now, or tells why not and tries again.
  void Start();
  // Sends signals for these changes, if anybody is there to hear them.
  void Tell(const BusChanges& changes);

  // Any thread: whether p2pd is on the bus under its name, or why not.
  CapabilityView Connection() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  static int OnName(sd_bus_message* reply, void* data, sd_bus_error*);
  static int OnDisconnected(sd_bus_message*, void* data, sd_bus_error*);

  absl::Status Connect();
  void Disconnect();
  void Retry(const std::string& why) ABSL_LOCKS_EXCLUDED(mutex_);
  void Connected() ABSL_LOCKS_EXCLUDED(mutex_);

  EventLoop& loop_;
  const BusOptions options_;
  const std::shared_ptr<BusCalls> calls_;
  BusObjects objects_;
  const std::shared_ptr<SleepWatch> sleep_;
  sd_bus* bus_ = nullptr;
  bool connected_ = false;
  absl::Duration next_retry_;
  EventLoop::Watch retry_;
  mutable Mutex mutex_;
  std::string trouble_ ABSL_GUARDED_BY(mutex_) = "not tried yet";  // "" once connected
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_BUS_BUS_SERVICE_H_
