#include "daemon/bus/reporter.h"

#include <utility>

#include "absl/time/clock.h"
#include "daemon/bus/status_line.h"
#include "daemon/service/log.h"
#include "daemon/service/notify.h"

namespace p2pd {

Reporter::Reporter(EventLoop& loop, Broker& broker, Scheduler& workers, ReporterOptions options)
    : loop_(loop),
      broker_(broker),
      options_(std::move(options)),
      model_(Manager()),
      bus_(loop, broker, workers, model_, options_.bus, [this] { TellSoon(); }),
      feed_(EventFeed::Create(loop, [this](const EventFeed::Batch& batch) { OnEvents(batch); })) {
  broker_.WatchAll(feed_);
  bus_.Start();
}

ManagerView Reporter::Manager() const {
  return {.version = options_.version,
          .kernel = options_.kernel,
          .log_level = std::string(LogLevelName(GetLogLevel())),
          .continuity = broker_.Continuity(),
          .status = broker_.GetStatus()};
}

std::string Reporter::Status() {
  return told_status_ = StatusLine(broker_.GetStatus(), model_.devices(), slow_.Names());
}

void Reporter::Hush() {
  feed_.reset();
  timer_.Reset();
  look_.Reset();
}

void Reporter::OnEvents(const EventFeed::Batch& batch) {
  for (const auto& event : batch) {
    model_.Apply(*event);
    slow_.Apply(*event);
    if (const auto entry = log_.EntryFor(*event); entry.has_value()) Log(*entry);
    if (const auto entry = grants_.EntryFor(*event); entry.has_value()) Log(*entry);
  }
  // What is there before p2pd is on the bus is found there, and is nobody's news.
  if (std::exchange(beginning_, false)) model_.TakeChanges();
  LookLater();
  TellSoon();
}

void Reporter::LookLater() {
  if (looking_ || !slow_.any_running()) return;
  auto timer = loop_.After(SlowOperations::kSlow / 4, [this] {
    looking_ = false;
    for (const LogEntry& entry : slow_.News(absl::Now())) Log(entry);
    TellSoon();
    LookLater();
  });
  // Without a timer the next event looks.
  if (!timer.ok()) return;
  look_ = *std::move(timer);
  looking_ = true;
}

void Reporter::TellSoon() {
  if (std::exchange(due_, true)) return;
  auto timer = loop_.After(options_.delay, [this] { Tell(); });
  if (!timer.ok()) return Tell();
  timer_ = *std::move(timer);
}

void Reporter::Tell() {
  due_ = false;
  if (feed_ != nullptr) feed_->LookAtCounts();
  model_.SetManager(Manager());
  bus_.Tell(model_.TakeChanges());
  const std::string before = told_status_;
  if (Status() != before) NotifyStatus(told_status_);
}

}  // namespace p2pd
