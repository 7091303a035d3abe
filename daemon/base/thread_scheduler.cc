#include "daemon/base/thread_scheduler.h"

#include <time.h>

#include <chrono>
#include <utility>

namespace p2pd {

ThreadScheduler::ThreadScheduler(int max_threads) : max_threads_(max_threads) {
  timer_thread_ = std::thread([this] { WaitForTimers(); });
}

ThreadScheduler::~ThreadScheduler() {
  std::vector<std::thread> workers;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    workers.swap(workers_);
  }
  work_ready_.notify_all();
  timers_changed_.notify_all();
  timer_thread_.join();
  for (std::thread& worker : workers) worker.join();
}

absl::Duration ThreadScheduler::Now() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return absl::DurationFromTimespec(now);
}

void ThreadScheduler::Run(Task task) {
  MutexLock lock(mutex_);
  if (stopping_) return;
  ready_.push_back(std::move(task));
  if (static_cast<int>(ready_.size()) > idle_ && static_cast<int>(workers_.size()) < max_threads_) {
    workers_.emplace_back([this] { Work(); });
  }
  work_ready_.notify_one();
}

void ThreadScheduler::RunAfter(absl::Duration delay, Task task) {
  const absl::Duration at = Now() + delay;
  MutexLock lock(mutex_);
  timers_.emplace(at, std::move(task));
  timers_changed_.notify_one();
}

void ThreadScheduler::Work() {
  while (true) {
    Task task;
    {
      MutexLock lock(mutex_);
      ++idle_;
      while (ready_.empty() && !stopping_) work_ready_.wait(mutex_);
      --idle_;
      if (stopping_) return;
      task = std::move(ready_.front());
      ready_.pop_front();
    }
    task();
  }
}

void ThreadScheduler::WaitForTimers() {
  while (true) {
    Task due;
    {
      MutexLock lock(mutex_);
      if (stopping_) return;
      if (timers_.empty()) {
        timers_changed_.wait(mutex_);
        continue;
      }
      const absl::Duration wait = timers_.begin()->first - Now();
      if (wait > absl::ZeroDuration()) {
        timers_changed_.wait_for(mutex_, absl::ToChronoNanoseconds(wait));
        continue;
      }
      due = std::move(timers_.extract(timers_.begin()).mapped());
    }
    Run(std::move(due));
  }
}

}  // namespace p2pd
