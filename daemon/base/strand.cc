#include "daemon/base/strand.h"

#include <utility>

namespace p2pd {

void Strand::Post(Task task) {
  MutexLock lock(mutex_);
  queue_.push_back(std::move(task));
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
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    task();
  }
}

}  // namespace p2pd
