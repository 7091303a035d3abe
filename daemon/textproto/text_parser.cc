#include "daemon/textproto/text_parser.h"

#include "absl/strings/str_cat.h"
#include "daemon/textproto/problem_list.h"
#include "daemon/textproto/syntax_errors.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

namespace p2pd {
namespace {

using ::google::protobuf::TextFormat;

constexpr int kMaxDepth = 8;  // of nested messages; what p2pd reads has three

}  // namespace

absl::Status ParseText(absl::string_view text, const std::string& file_name, google::protobuf::Message& message,
                       TextFormat::ParseInfoTree& tree) {
  ProblemList problems(file_name);
  if (text.size() > kMaxTextBytes) {
    problems.Add({}, absl::StrCat("has ", text.size(), " bytes, expected at most ", kMaxTextBytes));
    return problems.ToStatus();
  }
  SyntaxErrors errors(text, message.GetDescriptor()->file(), problems);
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  parser.WriteLocationsTo(&tree);
  parser.SetRecursionLimit(kMaxDepth);
  google::protobuf::io::ArrayInputStream input(text.data(), static_cast<int>(text.size()));
  const bool parsed = parser.Parse(&input, &message);
  if (!parsed && problems.empty()) problems.Add({}, "is not in protobuf's text format");
  return problems.ToStatus();
}

}  // namespace p2pd
