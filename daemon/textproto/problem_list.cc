#include "daemon/textproto/problem_list.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/errors.h"

namespace p2pd {
namespace {

constexpr int kMaxListed = 20;

std::string Printable(absl::string_view text) {
  std::string printable(text);
  for (char& c : printable) {
    if (!absl::ascii_isprint(static_cast<unsigned char>(c))) c = '?';
  }
  return printable;
}

}  // namespace

void ProblemList::Add(TextPlace place, absl::string_view what) {
  if (++count_ > kMaxListed) return;
  std::string where = file_;
  if (place.line > 0) absl::StrAppend(&where, ":", place.line, ":", place.column);
  if (count_ == 1) {
    first_place_ = where;
    lines_ = Printable(what);
  } else {
    absl::StrAppend(&lines_, "\n", where, ": ", Printable(what));
  }
}

absl::Status ProblemList::ToStatus() const {
  if (empty()) return absl::OkStatus();
  std::string what = lines_;
  if (count_ > kMaxListed) absl::StrAppend(&what, "\n", file_, ": ", count_ - kMaxListed, " more problems");
  return MakeError(absl::StatusCode::kInvalidArgument,
                   {.reason = Reason::kInvalidArgument, .step = "", .object = first_place_, .error = 0, .hint = ""},
                   what);
}

absl::Status JoinProblems(absl::Status first, const absl::Status& other) {
  if (first.ok()) return other;
  if (other.ok()) return first;
  absl::Status joined(first.code(), absl::StrCat(first.message(), "\n", other.message()));
  first.ForEachPayload(
      [&joined](absl::string_view url, const absl::Cord& payload) { joined.SetPayload(url, payload); });
  return joined;
}

}  // namespace p2pd
