#include "policy/reading.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace p2pd {
namespace {

constexpr size_t kMaxNameLength = 128;

bool IsPrintable(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return absl::ascii_isprint(c); });
}

}  // namespace

std::string Reading::Describe(absl::string_view what) const {
  if (name.empty()) return absl::StrCat(kind, " without a name: ", what);
  return absl::StrCat(kind, " \"", name.substr(0, kMaxNameLength), "\": ", what);
}

void Reading::UnknownName(TextPlace place, absl::string_view what) {
  if (warnings == nullptr) return Problem(place, what);
  warnings->push_back(absl::StrCat(problems.file(), ":", place.line, ":", place.column, ": ", Describe(what)));
}

void Reading::AddGlob(const std::string& text, TextPlace place, std::vector<Glob>& globs) {
  if (text.empty()) return Problem(place, "an empty pattern matches nothing: expected text, with * and ? in it");
  if (!IsPrintable(text)) return Problem(place, "expected a pattern of printable ASCII characters");
  if (text.find('[') != std::string::npos) {
    return Problem(place, absl::StrCat("\"", text, "\" has a [, which no name has: patterns know * and ? only"));
  }
  globs.emplace_back(text);
}

void Reading::CheckName(const std::string& text, TextPlace place, absl::string_view example) {
  if (text.empty())
    return Problem(place, absl::StrCat("expected a name that no other ", kind, " has, as in ", example));
  if (text.size() > kMaxNameLength) {
    Problem(place, absl::StrCat("its name has ", text.size(), " characters, expected at most ", kMaxNameLength));
  }
  if (!IsPrintable(text)) {
    Problem(place, "expected a name of printable ASCII characters: verdicts and logs carry it");
  }
}

}  // namespace p2pd
