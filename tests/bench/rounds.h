// What is compared takes turns, so that whatever else the machine does falls on all of it alike.
#ifndef P2PD_TESTS_BENCH_ROUNDS_H_
#define P2PD_TESTS_BENCH_ROUNDS_H_

#include <deque>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "tests/bench/samples.h"

namespace p2pd::bench {

class Rounds {
 public:
  // Emptied after the warm-up. Stays where it is.
  Samples& NewSamples() { return samples_.emplace_back(); }

  using Step = std::function<absl::Status()>;

  // In every round, `once` is called this often in a row, and then `after`, if there is one; what of it is timed is
  // its own choice.
  void Add(int calls, Step once, Step after = nullptr) {
    blocks_.push_back({calls, std::move(once), std::move(after)});
  }

  // A tenth as many rounds first, at least one, to warm up. Stops at the first error.
  absl::Status Run(int rounds);

 private:
  struct Block {
    int calls = 0;
    Step once;
    Step after;
  };
  absl::Status RunOne() const;

  std::deque<Samples> samples_;
  std::vector<Block> blocks_;
};

}  // namespace p2pd::bench

#endif  // P2PD_TESTS_BENCH_ROUNDS_H_
