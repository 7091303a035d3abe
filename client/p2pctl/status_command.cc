// `p2pctl status`: what this p2pd can do, and how much is going on. `p2pctl ping`: whether it answers. `p2pctl
// log-level`: how much it logs.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "client/p2pctl/commands.h"
#include "client/p2pctl/text.h"
#include "daemon/base/errors.h"
#include "google/protobuf/struct.pb.h"

namespace p2p::ctl {
namespace {

void PrintCapabilities(Context& context, const v1::Status& status) {
  if (status.capabilities().empty()) return;
  Table table = context.NewTable({{.header = "CAPABILITY"}, {.header = "AVAILABLE"}, {.header = "DETAIL"}});
  for (const v1::Capability& capability : status.capabilities()) {
    const Cell available = {YesNo(capability.available()), capability.available() ? Color::kGood : Color::kBad};
    table.AddRow({{capability.name()}, available, {capability.detail()}});
  }
  context.out() << "\n";
  context.Print(table);
}

// Bytes as sizes: a resource's name says whether it is counted in them.
std::string AmountText(const v1::Usage& usage, uint64_t amount) {
  return absl::EndsWith(usage.resource(), "bytes") ? SizeText(amount) : absl::StrCat(amount);
}

Cell UsedCell(const v1::Usage& usage, uint64_t used, uint64_t limit) {
  return {AmountText(usage, used), used >= limit ? Color::kBad : Color::kNone};
}

void PrintUsage(Context& context, const v1::Status& status) {
  if (status.usage().empty()) return;
  Table table = context.NewTable({{.header = "RESOURCE"},
                                  {.header = "USED", .right = true},
                                  {.header = "OF", .right = true},
                                  {.header = "BY-ALL", .right = true},
                                  {.header = "OF", .right = true}});
  for (const v1::Usage& usage : status.usage()) {
    table.AddRow({{usage.resource()},
                  UsedCell(usage, usage.used(), usage.per_user()),
                  {AmountText(usage, usage.per_user())},
                  UsedCell(usage, usage.used_in_total(), usage.total()),
                  {AmountText(usage, usage.total())}});
  }
  context.out() << "\n";
  context.Print(table);
}

absl::Status ShowStatus(Context& context, const Arguments& /*arguments*/) {
  P2PD_ASSIGN_OR_RETURN(const auto session, context.Connect());
  P2PD_ASSIGN_OR_RETURN(const v1::Status status, session->GetStatus());
  if (context.json()) {
    context.PrintJson(status);
    return absl::OkStatus();
  }
  Table list = context.NewPropertyList();
  list.AddRow({{"Version:"}, {status.version()}});
  list.AddRow({{"Kernel:"}, {status.kernel()}});
  list.AddRow(
      {{"dma-buf export:"}, {YesNo(status.dma_buf_export()), status.dma_buf_export() ? Color::kGood : Color::kBad}});
  list.AddRow({{"Page size:"}, {SizeText(status.page_size())}});
  list.AddRow({{"Started:"}, {TimeText(status.started())}});
  list.AddRow({{"Log level:"}, {status.log_level()}});
  list.AddRow({{"Policy rules:"}, {absl::StrCat(status.policy_rules())}});
  list.AddRow({{"Devices:"}, {absl::StrCat(status.devices())}});
  list.AddRow({{"Sessions:"}, {absl::StrCat(status.sessions())}});
  list.AddRow({{"Exports:"}, {absl::StrCat(status.exports())}});
  list.AddRow({{"Address spaces:"}, {absl::StrCat(status.address_spaces())}});
  list.AddRow({{"Mappings:"}, {absl::StrCat(status.mappings(), " (", SizeText(status.mapped_bytes()), ")")}});
  context.Print(list);
  PrintCapabilities(context, status);
  PrintUsage(context, status);
  return absl::OkStatus();
}

google::protobuf::Duration ToProto(absl::Duration duration) {
  google::protobuf::Duration result;
  result.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &duration));
  result.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(duration)));
  return result;
}

absl::Status Ping(Context& context, const Arguments& arguments) {
  P2PD_ASSIGN_OR_RETURN(const auto session, context.Connect());
  const uint64_t count = std::max<uint64_t>(arguments.Number("--count"), 1);
  for (uint64_t i = 0; i < count && context.out().good(); ++i) {
    P2PD_ASSIGN_OR_RETURN(const absl::Duration took, session->Ping());
    if (context.json()) {
      google::protobuf::Struct answer;
      (*answer.mutable_fields())["version"].set_string_value(session->server_version());
      (*answer.mutable_fields())["seconds"].set_number_value(absl::ToDoubleSeconds(took));
      context.PrintJsonLine(answer);
    } else {
      context.out() << "p2pd " << session->server_version() << " answered in " << DurationText(ToProto(took))
                    << std::endl;
    }
  }
  return absl::OkStatus();
}

// As p2pd's --log-level takes them.
const std::vector<std::string>& LogLevels() {
  static const auto* const levels = new std::vector<std::string>{"error", "warning", "notice", "info", "debug"};
  return *levels;
}

absl::StatusOr<std::string> LogLevelText(absl::string_view typed) {
  const std::vector<std::string>& levels = LogLevels();
  if (std::find(levels.begin(), levels.end(), typed) != levels.end()) return std::string(typed);
  return p2pd::MakeError(
      absl::StatusCode::kInvalidArgument,
      {.reason = p2pd::Reason::kInvalidArgument, .hint = absl::StrCat("write one of ", absl::StrJoin(levels, ", "))},
      absl::StrCat("there is no log level '", typed, "'"));
}

absl::Status ShowOrSetLogLevel(Context& context, const Arguments& arguments) {
  P2PD_ASSIGN_OR_RETURN(const auto session, context.Connect());
  if (!arguments.objects.empty()) return session->SetLogLevel(arguments.objects.front());
  P2PD_ASSIGN_OR_RETURN(const v1::Status status, session->GetStatus());
  if (context.json()) {
    google::protobuf::Struct answer;
    (*answer.mutable_fields())["log_level"].set_string_value(status.log_level());
    context.PrintJson(answer);
  } else {
    context.out() << status.log_level() << std::endl;
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<Command> StatusCommands() {
  return {{.name = "status", .help = "Show what p2pd can do and how much is going on", .run = ShowStatus},
          {.name = "ping",
           .help = "Ask p2pd for a sign of life, and say how long it took",
           .options = {{.name = "--count", .placeholder = "N", .help = "Ask N times (default: 1)"}},
           .run = Ping},
          {.name = "log-level",
           .help = "Show how much p2pd logs, or set it until p2pd is started again",
           .run = ShowOrSetLogLevel,
           .optional_operands = {
               {.placeholder = "LEVEL", .help = "error, warning, notice, info or debug", .parse = LogLevelText}}}};
}

}  // namespace p2p::ctl
