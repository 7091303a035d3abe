#include "daemon/base/strand.h"

#include <utility>

namespace p2pd {

uint64_t Strand::Post(Task task) {
  MutexLock lock(mutex_);
  queue_.push_back(std::move(task));
  return first_ + queue_.size() - 1;
}

Task Strand::Take() {
  Task task = std::move(queue_.front());
  queue_.pop_front();
  ++first_;
  return task;
}

void Strand::RunPosted() {
  {
    MutexLock lock(mutex_);
    if (running_) return;
    running_ = true;
  }
  while (true) {
    Task task;
    {
      MutexLock lock(mutex_);
      if (queue_.empty()) {
        running_ = false;
        return;
      }
      task = Take();
    }
    task();
  }
}

bool Strand::RunMine(uint64_t number) {
  {
    Task task;
    {
      MutexLock lock(mutex_);
      if (running_) return false;
      if (queue_.empty() || first_ != number) return !queue_.empty();
      running_ = true;
      task = Take();
    }
    task();
  }
  MutexLock lock(mutex_);
  running_ = false;
  return !queue_.empty();
}

}  // namespace p2pd
