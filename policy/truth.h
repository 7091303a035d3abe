// Whether a condition holds for a request: it does, it does not, or nobody can tell, because the request lacks the
// fact that it is about. An ALLOW counts what cannot be told as not holding, a DENY as holding.
#ifndef P2PD_POLICY_TRUTH_H_
#define P2PD_POLICY_TRUTH_H_

#include <algorithm>

namespace p2pd {

enum class Truth { kNo, kUnknown, kYes };  // in this order: And is the least of two, Or the greatest

constexpr Truth TruthOf(bool holds) { return holds ? Truth::kYes : Truth::kNo; }
constexpr Truth And(Truth a, Truth b) { return std::min(a, b); }
constexpr Truth Or(Truth a, Truth b) { return std::max(a, b); }

// Of conditions of which any is enough; kNo for none.
template <typename Range, typename Holds>
Truth AnyOf(const Range& range, Holds holds) {
  Truth truth = Truth::kNo;
  for (const auto& one : range) {
    truth = Or(truth, holds(one));
    if (truth == Truth::kYes) break;
  }
  return truth;
}

}  // namespace p2pd

#endif  // P2PD_POLICY_TRUTH_H_
