// What happens to a session, told on threads of the library's, for one thread that waits for several things.
#ifndef P2PD_CLIENT_P2PCTL_SESSION_NEWS_H_
#define P2PD_CLIENT_P2PCTL_SESSION_NEWS_H_

#include <deque>
#include <optional>
#include <variant>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/session.h"
#include "daemon/base/mutex.h"
#include "daemon/base/unique_fd.h"

namespace p2p::ctl {

// A driven device was reset, and waits for its driver.
struct DeviceWasReset {
  v1::Device device;
};

// Status: the session ended.
using News = std::variant<QuiesceRequest, v1::Resumed, v1::DeviceRevoked, DeviceWasReset, absl::Status>;

class SessionNews {
 public:
  static absl::StatusOr<std::unique_ptr<SessionNews>> Create();

  // `options` with callbacks that put what they are told in here. It must outlive the session.
  SessionOptions Into(SessionOptions options);
  void Put(News news) ABSL_LOCKS_EXCLUDED(mutex_);

  // Readable while there is any.
  p2pd::FdRef fd() const { return ready_; }
  std::optional<News> Take() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  explicit SessionNews(p2pd::UniqueFd ready) : ready_(std::move(ready)) {}

  const p2pd::UniqueFd ready_;  // an eventfd that counts them
  p2pd::Mutex mutex_;
  std::deque<News> news_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace p2p::ctl

#endif  // P2PD_CLIENT_P2PCTL_SESSION_NEWS_H_
