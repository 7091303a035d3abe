#include "policy/glob.h"

namespace p2pd {
namespace {

// The usual way: on a mismatch, the last star takes one character more. `fits` says whether the n-th character of the
// text can be the pattern's.
template <typename Fits>
bool Match(absl::string_view pattern, size_t length, Fits fits) {
  size_t p = 0;
  size_t t = 0;
  size_t star = absl::string_view::npos;
  size_t taken = 0;  // the end of what the last star has taken
  while (t < length) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || fits(t, pattern[p]))) {
      ++p;
      ++t;
    } else if (star != absl::string_view::npos) {
      p = star + 1;
      t = ++taken;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == absl::string_view::npos;
}

}  // namespace

bool Glob::Matches(absl::string_view text) const {
  return Match(pattern_, text.size(), [text](size_t at, char c) { return text[at] == c; });
}

// The sets are independent of each other, so that taking as little as possible for each star loses nothing here either.
bool Glob::CanMatch(const std::vector<absl::string_view>& sets) const {
  return Match(pattern_, sets.size(),
               [&sets](size_t at, char c) { return sets[at].find(c) != absl::string_view::npos; });
}

}  // namespace p2pd
