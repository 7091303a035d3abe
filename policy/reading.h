// What the readers of a policy's parts share: whom to ask about users, and where to put what is wrong.
#ifndef P2PD_POLICY_READING_H_
#define P2PD_POLICY_READING_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "daemon/textproto/problem_list.h"
#include "policy/glob.h"
#include "policy/user_database.h"

namespace p2pd {

struct Reading {
  // "rule "x": what"; of one that has no name yet, "rule without a name: what".
  std::string Describe(absl::string_view what) const;
  void Problem(TextPlace place, absl::string_view what) { problems.Add(place, Describe(what)); }
  // Users that do not exist are only told of where there is a list for it.
  void UnknownName(TextPlace place, absl::string_view what);

  // Adds a pattern to `globs` unless it is none.
  void AddGlob(const std::string& text, TextPlace place, std::vector<Glob>& globs);
  // A name of a rule or a set: printable and not too long.
  void CheckName(const std::string& text, TextPlace place, absl::string_view example);

  const UserDatabase& users;
  ProblemList problems;
  std::vector<std::string>* warnings = nullptr;
  std::string kind;  // "rule", "device_set"
  std::string name;  // of what is being read
};

}  // namespace p2pd

#endif  // P2PD_POLICY_READING_H_
