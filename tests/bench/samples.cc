#include "tests/bench/samples.h"

#include <algorithm>
#include <cmath>

namespace p2pd::bench {

double Samples::Percentile(double percent) const {
  if (microseconds_.empty()) return 0;
  const double rank = std::ceil(percent / 100 * static_cast<double>(size()));
  const size_t index = std::clamp<size_t>(static_cast<size_t>(std::max(rank, 1.0)), 1, size()) - 1;
  std::vector<double> sorted = microseconds_;
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(index), sorted.end());
  return sorted[index];
}

}  // namespace p2pd::bench
