// What p2pd tells the system about itself as it goes: log entries at once; the service manager's status line and
// D-Bus' signals a moment later, so that a thousand changes are one of each.
//
// On the loop's thread but BusConnection().
#ifndef P2PD_DAEMON_BUS_REPORTER_H_
#define P2PD_DAEMON_BUS_REPORTER_H_

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "daemon/bus/bus_model.h"
#include "daemon/bus/bus_service.h"
#include "daemon/bus/event_feed.h"
#include "daemon/bus/event_log.h"
#include "daemon/bus/grant_log.h"
#include "daemon/bus/slow_operations.h"
#include "daemon/core/broker.h"
#include "daemon/service/event_loop.h"

namespace p2pd {

struct ReporterOptions {
  std::string version;
  std::string kernel;  // "linux" or "simulation"
  BusOptions bus;
  absl::Duration delay = absl::Milliseconds(100);
};

class Reporter {
 public:
  // The broker has started. All outlive the reporter.
  Reporter(EventLoop& loop, Broker& broker, Scheduler& workers, ReporterOptions options);

  // The service manager's line, as it is now.
  std::string Status();
  // p2pd stops: what is told so far stands. D-Bus calls are still answered.
  void Hush();
  // Something changed of which core tells no event: the log level.
  void TellSoon();
  // Any thread.
  CapabilityView BusConnection() const { return bus_.Connection(); }

 private:
  ManagerView Manager() const;
  void OnEvents(const EventFeed::Batch& batch);
  // Looks for slow operations for as long as any runs.
  void LookLater();
  void Tell();

  EventLoop& loop_;
  Broker& broker_;
  const ReporterOptions options_;
  BusModel model_;
  EventLog log_;
  GrantLog grants_;
  SlowOperations slow_;
  BusService bus_;
  std::string told_status_;
  bool beginning_ = true;
  bool due_ = false;
  EventLoop::Watch timer_;
  bool looking_ = false;
  EventLoop::Watch look_;
  std::shared_ptr<EventFeed> feed_;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_BUS_REPORTER_H_
