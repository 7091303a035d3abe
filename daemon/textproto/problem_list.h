// What is wrong with a text, and where: all of it at once, so that a file is put right in one go. Each problem
// is one line, "file:line:column: what", of printable characters whatever the text held.
#ifndef P2PD_DAEMON_TEXTPROTO_PROBLEM_LIST_H_
#define P2PD_DAEMON_TEXTPROTO_PROBLEM_LIST_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace p2pd {

// Counted from 1; 0: unknown.
struct TextPlace {
  int line = 0;
  int column = 0;
};

class ProblemList {
 public:
  explicit ProblemList(std::string file) : file_(std::move(file)) {}

  const std::string& file() const { return file_; }
  bool empty() const { return count_ == 0; }
  // Past the first few, problems are only counted.
  void Add(TextPlace place, absl::string_view what);

  // OK without problems; else InvalidArgument, its message the list, a line each.
  absl::Status ToStatus() const;

 private:
  std::string file_;
  std::string first_place_;
  std::string lines_;  // what is wrong at the first place, then whole lines
  int count_ = 0;
};

// What is wrong with several files: the first error, which then says what is wrong with the other too.
absl::Status JoinProblems(absl::Status first, const absl::Status& other);

}  // namespace p2pd

#endif  // P2PD_DAEMON_TEXTPROTO_PROBLEM_LIST_H_
