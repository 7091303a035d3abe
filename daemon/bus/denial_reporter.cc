#include "daemon/bus/denial_reporter.h"

#include <algorithm>
#include <utility>

namespace p2pd {

DenialReporter::DenialReporter(EventLoop& loop, Tell tell, Clock now)
    : loop_(loop), tell_(std::move(tell)), now_(std::move(now)) {}

void DenialReporter::Note(const Denial& denial) {
  for (const LogEntry& entry : log_.Note(denial, now_())) tell_(entry);
  WaitForFlush();
}

void DenialReporter::WaitForFlush() {
  const auto due = log_.due();
  if (waiting_ || !due.has_value()) return;
  auto timer = loop_.After(std::max(*due - now_(), absl::ZeroDuration()), [this] {
    waiting_ = false;
    for (const LogEntry& entry : log_.Flush(now_())) tell_(entry);
    WaitForFlush();
  });
  if (!timer.ok()) return;
  timer_ = *std::move(timer);
  waiting_ = true;
}

}  // namespace p2pd
