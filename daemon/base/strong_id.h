// Numbers that must not be mixed up: an IOAS id is not an IOVA is not a session id.
#ifndef P2PD_DAEMON_BASE_STRONG_ID_H_
#define P2PD_DAEMON_BASE_STRONG_ID_H_

#include <compare>
#include <cstdint>
#include <utility>

namespace p2pd {

template <typename Tag, typename Rep = uint64_t>
class StrongId {
 public:
  constexpr StrongId() = default;
  constexpr explicit StrongId(Rep value) : value_(value) {}
  constexpr Rep value() const { return value_; }
  constexpr auto operator<=>(const StrongId&) const = default;

  template <typename H>
  friend H AbslHashValue(H h, StrongId id) {
    return H::combine(std::move(h), id.value_);
  }

 private:
  Rep value_ = 0;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_BASE_STRONG_ID_H_
