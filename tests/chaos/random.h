// The chaos's dice: the same throws for the same seed.
#ifndef P2PD_TESTS_CHAOS_RANDOM_H_
#define P2PD_TESTS_CHAOS_RANDOM_H_

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "absl/time/time.h"

namespace p2pd::chaos {

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}

  uint64_t Word() { return engine_(); }
  // Less than `bound`, which is not 0.
  uint64_t Below(uint64_t bound) { return engine_() % bound; }
  bool Chance(unsigned percent) { return Below(100) < percent; }
  absl::Duration Upto(absl::Duration most) {
    return absl::Microseconds(static_cast<int64_t>(Below(static_cast<uint64_t>(absl::ToInt64Microseconds(most)) + 1)));
  }
  template <typename T>
  T& Of(std::vector<T>& many) {
    return many[Below(many.size())];
  }
  std::vector<uint64_t> Words(size_t count) {
    std::vector<uint64_t> words(count);
    for (uint64_t& word : words) word = Word();
    return words;
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace p2pd::chaos

#endif  // P2PD_TESTS_CHAOS_RANDOM_H_
