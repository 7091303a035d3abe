#include "daemon/textproto/syntax_errors.h"

#include <optional>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace p2pd {
namespace {

using ::google::protobuf::Descriptor;
using ::google::protobuf::EnumDescriptor;
using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::FileDescriptor;

constexpr int kTabWidth = 8;  // as protobuf's tokenizer counts columns

// A name that the parser did not know, and the names that it would have known there.
struct Unknown {
  std::string name;
  std::string known;
};

std::string FieldNames(const Descriptor& message) {
  std::vector<std::string> names;
  for (int i = 0; i < message.field_count(); ++i) names.push_back(message.field(i)->name());
  return absl::StrJoin(names, ", ");
}

// Without the zero value, which says nothing.
std::string ValueNames(const EnumDescriptor& values) {
  std::vector<std::string> names;
  for (int i = 0; i < values.value_count(); ++i) {
    if (values.value(i)->number() != 0) names.push_back(values.value(i)->name());
  }
  return absl::StrJoin(names, ", ");
}

// The messages of a file, those declared inside others too.
void Collect(const Descriptor* message, std::vector<const Descriptor*>& all) {
  all.push_back(message);
  for (int i = 0; i < message->nested_type_count(); ++i) Collect(message->nested_type(i), all);
}

std::vector<const Descriptor*> MessagesOf(const FileDescriptor& schema) {
  std::vector<const Descriptor*> all;
  for (int i = 0; i < schema.message_type_count(); ++i) Collect(schema.message_type(i), all);
  return all;
}

// Understands: Message type "M" has no field named "F".
//              Unknown enumeration value of "V" for field "F".
// Other wordings (another protobuf's) only lose precision.
std::optional<Unknown> FindUnknown(const std::string& error, const FileDescriptor& schema) {
  const std::vector<std::string> words = absl::StrSplit(error, '"');
  if (words.size() < 4) return std::nullopt;
  const bool no_field = absl::StrContains(error, "has no field named");
  if (!no_field && !absl::StrContains(error, "enumeration value")) return std::nullopt;
  for (const Descriptor* message : MessagesOf(schema)) {
    if (no_field && message->full_name() == words[1]) return Unknown{.name = words[3], .known = FieldNames(*message)};
    if (no_field) continue;
    const FieldDescriptor* field = message->FindFieldByName(words[3]);
    if (field == nullptr || field->enum_type() == nullptr) continue;
    return Unknown{.name = words[1], .known = ValueNames(*field->enum_type())};
  }
  return std::nullopt;
}

int NextColumn(int column, char c) { return c == '\t' ? (column / kTabWidth + 1) * kTabWidth : column + 1; }

// The offset of what stands at a line and column, counted from 0.
size_t OffsetOf(absl::string_view text, int line, int column) {
  size_t offset = 0;
  for (; line > 0 && offset < text.size(); ++offset) line -= text[offset] == '\n' ? 1 : 0;
  for (int at = 0; at < column && offset < text.size(); ++offset) at = NextColumn(at, text[offset]);
  return offset;
}

TextPlace PlaceOf(absl::string_view text, size_t offset) {
  int line = 0;
  int column = 0;
  for (char c : text.substr(0, offset)) {
    column = c == '\n' ? 0 : NextColumn(column, c);
    line += c == '\n' ? 1 : 0;
  }
  return {.line = line + 1, .column = column + 1};
}

}  // namespace

void SyntaxErrors::AddError(int line, int column, const std::string& message) {
  const TextPlace reported = {.line = line + 1, .column = column + 1};
  const std::optional<Unknown> unknown = FindUnknown(message, *schema_);
  if (!unknown.has_value()) return problems_.Add(reported, message);
  const size_t name = text_.substr(0, OffsetOf(text_, line, column)).rfind(unknown->name);
  problems_.Add(name == absl::string_view::npos ? reported : PlaceOf(text_, name),
                absl::StrCat("\"", unknown->name, "\" is unknown here, expected one of ", unknown->known));
}

}  // namespace p2pd
