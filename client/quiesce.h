// p2pd asks a session to stop its DMA before it takes a window away for a reset. The answer is owed by
// whoever holds the QuiesceRequest: it is given once, by Ack() or, at the latest, by the destructor.
#ifndef P2PD_CLIENT_QUIESCE_H_
#define P2PD_CLIENT_QUIESCE_H_

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/types.h"

namespace p2p {

// Move-only: it can be handed to the thread that stops the DMA. Not itself thread-safe.
class QuiesceRequest {
 public:
  QuiesceRequest(v1::QuiesceRequested request, std::function<absl::Status()> send_ack);
  QuiesceRequest(QuiesceRequest&& other) noexcept;
  QuiesceRequest& operator=(QuiesceRequest&& other) noexcept;
  ~QuiesceRequest();

  const std::string& operation() const { return request_.operation(); }
  // The device whose windows are going: "devices/0000:3a:00.0". Where several are reset in one, the one that was asked
  // for.
  const std::string& device() const { return request_.device(); }
  // All whose windows are going: device() first, then those that are reset with it.
  std::vector<std::string> devices() const;
  // The generation of device() from now on, which its driver gives to Device::Ready(). For the others ask
  // Session::GetDevice() once they are AWAITING_DRIVER.
  uint64_t generation() const { return request_.generation(); }
  // At the deadline the mappings are unmapped all the same, and a device that still uses them faults.
  std::chrono::steady_clock::time_point deadline() const;
  // Everything, with the names of this session's mappings that are concerned. The list is cut short where a
  // frame would grow too long: mapping_count says how many they are.
  const v1::QuiesceRequested& info() const { return request_; }

  // Says that no device uses the mappings any more. Later calls do nothing and return OK. Also worth sending
  // after the deadline: only then does p2pd put the mappings back. Errors: Unavailable, the session is over.
  absl::Status Ack();

 private:
  v1::QuiesceRequested request_;
  std::function<absl::Status()> send_ack_;  // empty once acknowledged
};

}  // namespace p2p

#endif  // P2PD_CLIENT_QUIESCE_H_
