#include "client/p2pctl/session_news.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "daemon/base/errors.h"

namespace p2p::ctl {

absl::StatusOr<std::unique_ptr<SessionNews>> SessionNews::Create() {
  p2pd::UniqueFd ready(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE));
  if (!ready.valid()) return p2pd::ErrnoError("eventfd", "session", errno);
  return std::unique_ptr<SessionNews>(new SessionNews(std::move(ready)));
}

SessionOptions SessionNews::Into(SessionOptions options) {
  options.on_quiesce = [this](QuiesceRequest request) { Put(std::move(request)); };
  options.on_resumed = [this](const v1::Resumed& resumed) { Put(resumed); };
  options.on_device_revoked = [this](const v1::DeviceRevoked& revoked) { Put(revoked); };
  options.on_ended = [this](const absl::Status& why) { Put(why); };
  return options;
}

void SessionNews::Put(News news) {
  {
    p2pd::MutexLock lock(mutex_);
    news_.push_back(std::move(news));
  }
  eventfd_write(ready_.get(), 1);
}

std::optional<News> SessionNews::Take() {
  eventfd_t one = 0;
  if (eventfd_read(ready_.get(), &one) != 0) return std::nullopt;
  p2pd::MutexLock lock(mutex_);
  News first = std::move(news_.front());
  news_.pop_front();
  return first;
}

}  // namespace p2p::ctl
