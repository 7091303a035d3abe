// The system's sleep, as logind tells of it. While nobody sleeps p2pd holds one of logind's delay inhibitors: logind
// then announces a sleep and waits, until p2pd has let go of it or InhibitDelayMaxSec is over. p2pd lets go when
// nothing is mapped any more, and takes another when the system is awake.
//
// Only logind is listened to: anybody on the bus may send p2pd a signal that looks like its. Whoever loses the bus, or
// logind, while p2pd sleeps, is taken for awake. On the loop's thread.
#ifndef P2PD_DAEMON_BUS_SLEEP_WATCH_H_
#define P2PD_DAEMON_BUS_SLEEP_WATCH_H_

#include <systemd/sd-bus.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "daemon/base/unique_fd.h"
#include "daemon/core/broker.h"
#include "daemon/service/event_loop.h"

namespace p2pd {

class SleepWatch : public std::enable_shared_from_this<SleepWatch> {
 public:
  // Both outlive the watch.
  SleepWatch(EventLoop& loop, Broker& broker) : loop_(loop), broker_(broker) {}
  ~SleepWatch() { Detach(); }

  // From now on `bus` is listened to, until Detach().
  absl::Status Attach(sd_bus* bus);
  void Detach();

 private:
  static int OnInhibited(sd_bus_message* reply, void* data, sd_bus_error*);
  static int OnPrepare(sd_bus_message* signal, void* data, sd_bus_error*);
  static int OnOwner(sd_bus_message* signal, void* data, sd_bus_error*);

  void TakeInhibitor();
  void Sleep();
  void Wake();

  EventLoop& loop_;
  Broker& broker_;
  sd_bus* bus_ = nullptr;
  sd_bus_slot* asking_ = nullptr;
  sd_bus_slot* prepare_ = nullptr;
  sd_bus_slot* owner_ = nullptr;
  std::string logind_;  // its unique name, which is never another's
  UniqueFd inhibitor_;  // logind waits while it is open
  bool asleep_ = false;
  uint64_t sleeps_ = 0;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_BUS_SLEEP_WATCH_H_
