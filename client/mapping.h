// A window or a piece of memory at an address where devices of an address space reach it.
#ifndef P2PD_CLIENT_MAPPING_H_
#define P2PD_CLIENT_MAPPING_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/types.h"

namespace p2p {

namespace internal {
class Connection;
}

// Unmaps when it goes. Move-only; one thread at a time.
class Mapping {
 public:
  Mapping(Mapping&& other) noexcept = default;
  Mapping& operator=(Mapping&& other) noexcept;
  ~Mapping();

  const std::string& name() const { return info_.name(); }
  uint64_t iova() const { return info_.iova(); }      // bytes; the same after every reset
  uint64_t length() const { return info_.length(); }  // bytes
  // What devices can do with it, which may be more than was asked for: not every IOMMU can withhold reads.
  v1::Access access() const { return info_.access(); }
  // As of the last answer: ask Refresh() for the state now.
  v1::Mapping::State state() const { return info_.state(); }
  const v1::Mapping& info() const { return info_; }

  // Asks p2pd for the mapping as it is now, and keeps the answer.
  absl::StatusOr<v1::Mapping::State> Refresh();

  // Unmaps: once it returns OK, no device reaches the mapping any more. Later calls return OK. After an error
  // the mapping may be live, and the call can be made again.
  absl::Status Release();

 private:
  friend class Session;
  Mapping(std::shared_ptr<internal::Connection> connection, v1::Mapping info);

  std::shared_ptr<internal::Connection> connection_;  // null once released
  v1::Mapping info_;
};

}  // namespace p2p

#endif  // P2PD_CLIENT_MAPPING_H_
