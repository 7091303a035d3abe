// Counts what a program of the chaos did, by kind and outcome, and says so: a process that is killed has said nearly
// all of it. What p2pd must never answer, it tells apart.
#ifndef P2PD_TESTS_CHAOS_TALLY_H_
#define P2PD_TESTS_CHAOS_TALLY_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace p2pd::chaos {

class Tally {
 public:
  void Count(absl::string_view what) { ++counts_[std::string(what)]; }
  // Counts it with its outcome, "map: ok" or "map: OVERLAP"; a refusal that no chaos explains is said as a violation.
  // Returns whether it succeeded.
  bool Count(absl::string_view what, const absl::Status& status);

  // {"event": "did", "map: ok": 3, ...}: what was counted since the last time.
  void Say();

  // The outcome's name: p2pd's reason, or the code where it gave none.
  static std::string Outcome(const absl::Status& status);
  // Whether the chaos can explain it: p2pd says why, or could not be asked. Its policy allows all that clients ask for.
  static bool IsExplained(const absl::Status& status);

 private:
  std::map<std::string, uint64_t> counts_;
};

// {"event": "violation", ...}: something that must not be.
void SayViolation(absl::string_view what);

}  // namespace p2pd::chaos

#endif  // P2PD_TESTS_CHAOS_TALLY_H_
