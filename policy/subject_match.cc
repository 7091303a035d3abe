#include "policy/subject_match.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "policy/words.h"

namespace p2pd {
namespace {

bool Contains(const std::vector<uint32_t>& values, uint32_t value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

Truth Named(const std::vector<Glob>& globs, const std::string& text, bool known) {
  if (globs.empty()) return Truth::kYes;
  if (!known) return Truth::kUnknown;
  return AnyOf(globs, [&text](const Glob& glob) { return TruthOf(glob.Matches(text)); });
}

}  // namespace

Truth SubjectMatch::Matches(const Subject& subject) const {
  if (!NamesPeople() && units.empty() && user_units.empty() && labels.empty()) return Truth::kNo;
  const bool person = !NamesPeople() || Contains(users, subject.uid) || Contains(groups, subject.gid) ||
                      std::any_of(subject.groups.begin(), subject.groups.end(),
                                  [this](uint32_t group) { return Contains(groups, group); });
  if (!person) return Truth::kNo;
  return And(And(Named(units, subject.unit, !subject.unit.empty()),
                 Named(user_units, subject.user_unit.value_or(""), subject.user_unit.has_value())),
             Named(labels, subject.label, !subject.label.empty()));
}

std::string SubjectMatch::ToString() const {
  std::vector<std::string> people;
  for (uint32_t user : users) people.push_back(absl::StrCat("uid ", user));
  for (uint32_t group : groups) people.push_back(absl::StrCat("gid ", group));
  std::string text = people.empty() ? "anybody" : OneOf(std::move(people));
  if (!units.empty()) absl::StrAppend(&text, " in unit ", OneOf(units));
  if (!user_units.empty()) absl::StrAppend(&text, " in user unit ", OneOf(user_units));
  if (!labels.empty()) absl::StrAppend(&text, " with label ", OneOf(labels));
  return text;
}

}  // namespace p2pd
