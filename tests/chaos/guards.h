// What the keeper of a window's memory knows: which parts of its BAR devices reach, as p2pd's events say, and what the
// parts must hold that none does. A byte that changes there is suspected at once and judged later: when every event of
// before the look was heard, and the operations that ran then are over, since a mapping may have come back meanwhile.
#ifndef P2PD_TESTS_CHAOS_GUARDS_H_
#define P2PD_TESTS_CHAOS_GUARDS_H_

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "client/types.h"

namespace p2pd::chaos {

// Bytes of the BAR, in multiples of 8.
struct Range {
  uint64_t offset = 0;
  uint64_t length = 0;

  bool Overlaps(const Range& other) const {
    return offset < other.offset + other.length && other.offset < offset + length;
  }
};

class Guards {
 public:
  // A part of the BAR that no device reaches any more.
  struct Dead {
    Range range;
    bool suspended = false;  // by a reset; its session keeps its right to the window
    std::string mapping;
  };
  // Reads the BAR; false where the device does not answer just now.
  using Reader = absl::FunctionRef<bool(const Range&, absl::Span<uint64_t>)>;

  Guards(std::string device, uint32_t bar) : device_(std::move(device)), bar_(bar) {}

  // In their order. Tells of what it has ended, unless another mapping reaches a part of it.
  std::optional<Dead> Hear(const p2p::v1::Event& event);

  // From now on the range must hold `expected`, until a device may reach it again.
  void Set(const Dead& dead, std::vector<uint64_t> expected);
  void Forget(const Range& range);

  // Looks at every guarded range; returns how many are new suspects. A marker heard afterwards judges them: an event
  // that the caller causes after this look.
  size_t Look(Reader read);
  void HearMarker();
  // The verdicts that are due: what happened to each that is guilty, which is then no longer guarded.
  std::vector<std::string> Verdicts();

  size_t size() const { return guards_.size(); }

 private:
  struct Guard {
    Dead dead;
    std::vector<uint64_t> expected;
    std::string suspicion;  // "" for none
    bool marked = false;    // all that was before the look has been heard; what ran then is in `running`
    std::set<std::string> running;
  };

  std::optional<Dead> HearMapping(const p2p::v1::Event& event);

  const std::string device_;
  const uint32_t bar_;
  std::map<std::string, uint64_t> exports_;  // of the BAR: where each begins
  std::map<std::string, Range> live_;        // mappings
  std::set<std::string> running_;            // operations
  std::list<Guard> guards_;
};

}  // namespace p2pd::chaos

#endif  // P2PD_TESTS_CHAOS_GUARDS_H_
