// Parses files that administrators write, in protobuf's text format: all or nothing, with a place for each
// problem, whatever the text holds.
#ifndef P2PD_DAEMON_TEXTPROTO_TEXT_PARSER_H_
#define P2PD_DAEMON_TEXTPROTO_TEXT_PARSER_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"
#include "google/protobuf/text_format.h"

namespace p2pd {

constexpr size_t kMaxTextBytes = size_t{1} << 20;

// Fills `message`, and `tree` with where each of its fields stands (see field_places.h). `file_name` is what
// errors call the text. Errors: InvalidArgument, one "file:line:column: what" a line (problem_list.h).
absl::Status ParseText(absl::string_view text, const std::string& file_name, google::protobuf::Message& message,
                       google::protobuf::TextFormat::ParseInfoTree& tree);

}  // namespace p2pd

#endif  // P2PD_DAEMON_TEXTPROTO_TEXT_PARSER_H_
