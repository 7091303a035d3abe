// All that p2pd says to a session of the chaos, in one queue: the program that reads it is one thread, and does one
// thing at a time.
#ifndef P2PD_TESTS_CHAOS_NEWS_H_
#define P2PD_TESTS_CHAOS_NEWS_H_

#include <condition_variable>
#include <deque>
#include <optional>
#include <variant>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/session.h"
#include "daemon/base/mutex.h"

namespace p2pd::chaos {

// A status is the session's end, or the event stream's.
using Item = std::variant<p2p::QuiesceRequest, p2p::v1::Resumed, p2p::v1::DeviceRevoked, p2p::v1::Event, absl::Status>;

class News {
 public:
  // From any thread.
  void Push(Item item) ABSL_LOCKS_EXCLUDED(mutex_);
  // The oldest; waits for it for at most `patience`. One thread.
  std::optional<Item> Take(absl::Duration patience) ABSL_LOCKS_EXCLUDED(mutex_);
  // Makes what p2pd says to a session come here. This outlives the session.
  void Subscribe(p2p::SessionOptions& options);

 private:
  Mutex mutex_;
  std::condition_variable_any pushed_;
  std::deque<Item> items_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace p2pd::chaos

#endif  // P2PD_TESTS_CHAOS_NEWS_H_
