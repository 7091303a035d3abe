#include "tests/chaos/news.h"

#include <chrono>
#include <utility>

namespace p2pd::chaos {

void News::Push(Item item) {
  {
    const MutexLock lock(mutex_);
    items_.push_back(std::move(item));
  }
  pushed_.notify_one();
}

std::optional<Item> News::Take(absl::Duration patience) {
  const auto deadline = std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(patience);
  const MutexLock lock(mutex_);
  while (items_.empty()) {
    if (pushed_.wait_until(mutex_, deadline) == std::cv_status::timeout && items_.empty()) return std::nullopt;
  }
  Item item = std::move(items_.front());
  items_.pop_front();
  return item;
}

void News::Subscribe(p2p::SessionOptions& options) {
  options.on_quiesce = [this](p2p::QuiesceRequest request) { Push(std::move(request)); };
  options.on_resumed = [this](const p2p::v1::Resumed& resumed) { Push(resumed); };
  options.on_device_revoked = [this](const p2p::v1::DeviceRevoked& revoked) { Push(revoked); };
  options.on_ended = [this](const absl::Status& why) { Push(why); };
}

}  // namespace p2pd::chaos
