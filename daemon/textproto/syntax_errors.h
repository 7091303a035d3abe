// What protobuf's text parser complains about, made precise. It places an unknown name at the token after it,
// which may be lines later; here it is placed at the name itself, and the names that are known are listed.
#ifndef P2PD_DAEMON_TEXTPROTO_SYNTAX_ERRORS_H_
#define P2PD_DAEMON_TEXTPROTO_SYNTAX_ERRORS_H_

#include <string>

#include "absl/strings/string_view.h"
#include "daemon/textproto/problem_list.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/io/tokenizer.h"

namespace p2pd {

class SyntaxErrors final : public google::protobuf::io::ErrorCollector {
 public:
  // Borrows `text`, which is being parsed as a message of `schema`, and `problems`, where they go.
  SyntaxErrors(absl::string_view text, const google::protobuf::FileDescriptor* schema, ProblemList& problems)
      : text_(text), schema_(schema), problems_(problems) {}

  // Called by the parser; counts from 0.
  void AddError(int line, int column, const std::string& message) override;

 private:
  absl::string_view text_;
  const google::protobuf::FileDescriptor* schema_;
  ProblemList& problems_;
};

}  // namespace p2pd

#endif  // P2PD_DAEMON_TEXTPROTO_SYNTAX_ERRORS_H_
