#include "client/p2pctl/context.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "client/error.h"
#include "google/protobuf/util/json_util.h"
#include "google/protobuf/wrappers.pb.h"
#include "grpc/grpc.h"

namespace p2p::ctl {
namespace {

std::string ToJson(const google::protobuf::Message& message, bool multi_line) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = multi_line;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string json;
  // Fails for an unknown Any only, and the API has none.
  static_cast<void>(google::protobuf::util::MessageToJsonString(message, &json, options));
  return json;
}

// JSON's own spelling of a text.
std::string Quoted(absl::string_view text) {
  google::protobuf::StringValue value;
  value.set_value(std::string(text));
  return ToJson(value, false);
}

}  // namespace

std::string ErrorAsJson(const absl::Status& status, int exit_status) {
  return absl::StrCat("{\"error\":{\"code\":", Quoted(absl::StatusCodeToString(status.code())),
                      ",\"message\":", Quoted(status.message()), ",\"detail\":", ToJson(GetErrorDetail(status), false),
                      ",\"exit_status\":", exit_status, "}}");
}

std::string NoteAsJson(absl::string_view text) { return absl::StrCat("{\"note\":", Quoted(text), "}"); }

SessionOptions ForSession(const GlobalOptions& global, SessionOptions options) {
  options.fd_socket = global.fd_socket;
  options.grpc_socket = global.grpc_socket;
  if (options.client_name.empty()) options.client_name = "p2pctl";
  options.connect_timeout = global.timeout;
  options.call_timeout = global.timeout;
  return options;
}

absl::StatusOr<std::unique_ptr<Session>> Context::Connect(SessionOptions options) const {
  // Holds gRPC up to the process's end: shutting it down can take seconds, and nobody needs it. Not earlier: its
  // threads would not survive the fork of acquire.
  static const bool grpc_stays_up = (grpc_init(), true);
  static_cast<void>(grpc_stays_up);
  return Session::Connect(ForSession(options_, std::move(options)));
}

void Context::Note(absl::string_view text) {
  console_.err << (json() ? NoteAsJson(text) : absl::StrCat("p2pctl: ", text)) << std::endl;
}

void Context::PrintProgress(absl::string_view line) { console_.err << line << std::endl; }

void Context::PrintJson(const google::protobuf::Message& message) { out() << ToJson(message, true); }

void Context::PrintJsonLine(const google::protobuf::Message& message) { out() << ToJson(message, false) << std::endl; }

void Context::Print(const Table& table) { out() << table.ToString(); }

Table Context::NewTable(std::vector<Column> columns) const {
  return Table(std::move(columns), {.header = !options_.no_legend, .colors = Colors()});
}

Table Context::NewPropertyList() const {
  return Table({{.header = "NAME", .right = true}, {.header = "VALUE"}}, {.header = false, .colors = Colors()});
}

std::string Context::Colored(const Cell& cell) const {
  return Colors() ? absl::StrCat(AnsiSequence(cell.color), cell.text, AnsiSequence(Color::kReset)) : cell.text;
}

bool Context::Colors() const {
  return options_.color == "always" || (options_.color == "auto" && console_.color_terminal);
}

}  // namespace p2p::ctl
