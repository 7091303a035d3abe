// Patterns of text: "*" stands for any characters, also none, "?" for one. Matching takes at most the product of the
// two lengths, whatever the pattern, and knows no locale (fnmatch(3) promises neither).
#ifndef P2PD_POLICY_GLOB_H_
#define P2PD_POLICY_GLOB_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace p2pd {

class Glob {
 public:
  explicit Glob(std::string pattern) : pattern_(std::move(pattern)) {}

  bool Matches(absl::string_view text) const;
  // Whether it matches some text whose n-th character is one of the n-th set's.
  bool CanMatch(const std::vector<absl::string_view>& sets) const;
  // What all that it matches begins with.
  absl::string_view Beginning() const { return absl::string_view(pattern_).substr(0, pattern_.find_first_of("*?")); }
  const std::string& pattern() const { return pattern_; }
  auto operator<=>(const Glob&) const = default;

  static bool IsPattern(absl::string_view text) { return text.find_first_of("*?") != absl::string_view::npos; }

 private:
  std::string pattern_;
};

}  // namespace p2pd

#endif  // P2PD_POLICY_GLOB_H_
