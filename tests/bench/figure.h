// Figures: their arithmetic, and how they are shown. A figure that misses its aim is marked, and fails nothing.
#ifndef P2PD_TESTS_BENCH_FIGURE_H_
#define P2PD_TESTS_BENCH_FIGURE_H_

#include <optional>
#include <string>
#include <vector>

#include "tests/bench/figure.pb.h"
#include "tests/bench/samples.h"

namespace p2pd::bench {

// What a figure should be.
struct Aim {
  enum class Kind { kNone, kRatioAtMost, kRatioAtLeast, kValueAtMost };
  Kind kind = Kind::kNone;
  double bound = 0;

  std::string ToString() const;  // "at most 1.3x": of the floor
};
constexpr Aim RatioAtMost(double bound) { return {.kind = Aim::Kind::kRatioAtMost, .bound = bound}; }
constexpr Aim RatioAtLeast(double bound) { return {.kind = Aim::Kind::kRatioAtLeast, .bound = bound}; }
constexpr Aim ValueAtMost(double bound) { return {.kind = Aim::Kind::kValueAtMost, .bound = bound}; }

struct Floor {
  std::string name;
  double value = 0;
};

// Numbers keep four significant digits: no run is more exact than that.
Figure MakeFigure(const std::string& name, double value, const std::string& unit,
                  const std::optional<Floor>& floor = std::nullopt, Aim aim = {});
// The median, in microseconds, and the 99th percentile beside it.
Figure MakeTime(const std::string& name, const Samples& samples, const std::optional<Floor>& floor = std::nullopt,
                Aim aim = {});

// One line, without its end.
std::string ToJson(const Figure& figure);
std::string ToTable(const std::vector<Figure>& figures);

}  // namespace p2pd::bench

#endif  // P2PD_TESTS_BENCH_FIGURE_H_
