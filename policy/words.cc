#include "policy/words.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace p2pd {
namespace {

// How many alternatives are listed before the rest is only counted.
constexpr size_t kListed = 4;

}  // namespace

std::string OneOf(std::vector<std::string> choices) {
  if (choices.size() > kListed) {
    const size_t more = choices.size() - kListed;
    choices.resize(kListed);
    choices.push_back(absl::StrCat(more, " more"));
  }
  return absl::StrJoin(choices, " or ");
}

std::string OneOf(const std::vector<Glob>& choices) {
  std::vector<std::string> texts;
  for (const Glob& glob : choices) texts.push_back(glob.pattern());
  return OneOf(std::move(texts));
}

}  // namespace p2pd
