// What happens in p2pd, as this session may see it: first everything as it is, then IN_SYNC, then every
// change without a gap.
#ifndef P2PD_CLIENT_EVENT_STREAM_H_
#define P2PD_CLIENT_EVENT_STREAM_H_

#include <memory>

#include "absl/status/statusor.h"
#include "client/types.h"

namespace p2p {

namespace internal {
class Connection;
}

// Read it steadily: p2pd ends a stream whose reader falls too far behind.
class EventStream {
 public:
  EventStream(const EventStream&) = delete;
  EventStream& operator=(const EventStream&) = delete;
  ~EventStream();  // cancels

  // Waits for the next event; one thread at a time. Errors, all final: Cancelled (by Cancel()); Unavailable,
  // p2pd went away; ResourceExhausted, this reader was too slow. Watch anew for a new snapshot.
  absl::StatusOr<v1::Event> Next();

  // Ends the stream; a Next() that waits returns Cancelled. From any thread, any number of times.
  void Cancel();

 private:
  friend class Session;
  struct Impl;
  explicit EventStream(std::shared_ptr<internal::Connection> connection);

  std::unique_ptr<Impl> impl_;
};

}  // namespace p2p

#endif  // P2PD_CLIENT_EVENT_STREAM_H_
