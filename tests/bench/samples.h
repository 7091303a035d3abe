// How long something took, many times over.
#ifndef P2PD_TESTS_BENCH_SAMPLES_H_
#define P2PD_TESTS_BENCH_SAMPLES_H_

#include <chrono>
#include <cstddef>
#include <vector>

#include "absl/time/time.h"

namespace p2pd::bench {

class Samples {
 public:
  void Add(absl::Duration took) { microseconds_.push_back(absl::ToDoubleMicroseconds(took)); }
  void Clear() { microseconds_.clear(); }
  size_t size() const { return microseconds_.size(); }

  // In microseconds: the least sample that `percent` of them do not exceed (nearest rank). 0 for no samples.
  double Percentile(double percent) const;

  // Runs `call` and adds how long it took, if it returns OK; returns what it returned.
  template <typename Call>
  auto Time(Call call) {
    const auto began = std::chrono::steady_clock::now();
    auto result = call();
    const auto took = std::chrono::steady_clock::now() - began;
    if (result.ok()) Add(absl::FromChrono(took));
    return result;
  }

 private:
  std::vector<double> microseconds_;
};

}  // namespace p2pd::bench

#endif  // P2PD_TESTS_BENCH_SAMPLES_H_
