// `p2pctl operations` and `p2pctl operation show N`: resets and revocations, and their receipts.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/p2pctl/commands.h"
#include "client/p2pctl/event_reader.h"
#include "client/p2pctl/names.h"
#include "client/p2pctl/receipt.h"
#include "client/p2pctl/step_lines.h"
#include "client/p2pctl/text.h"
#include "daemon/base/errors.h"

namespace p2p::ctl {
namespace {

std::string AnswersText(const v1::Operation& operation) {
  std::map<std::string, int> counts;
  for (const auto& party : operation.parties()) ++counts[v1::Operation::Party::Answer_Name(party.answer())];
  std::string text;
  for (const auto& [answer, count] : counts) absl::StrAppend(&text, text.empty() ? "" : ", ", count, " ", answer);
  return text;
}

// Of an event's operation what is new, as lines or as the operation. What was over at the start is not told, but for a
// step that comes late: a session can stop its DMA, and get its mappings back, when all else is done.
class Follower {
 public:
  explicit Follower(Context& context) : context_(context) {}

  void Tell(const v1::Event& event) {
    const v1::Operation& operation = event.operation();
    const bool over = operation.state() != v1::Operation::RUNNING;
    const bool told = event.type() != v1::Event::SNAPSHOT || !over || lines_.Knows(operation.name());
    const std::vector<std::string> news = lines_.Take(operation);
    const bool ends = over && ended_.insert(operation.name()).second;
    if (!told) return;
    if (context_.json()) {
      context_.PrintJsonLine(operation);
      return;
    }
    const std::string at = ClockText(event.time());
    for (const std::string& line : news) context_.out() << at << " " << line << std::endl;
    if (!ends) return;
    const std::string why = operation.error().empty() ? "" : absl::StrCat(": ", operation.error());
    context_.out() << at << " " << StandingText(context_, operation) << why << std::endl;
  }

 private:
  Context& context_;
  StepLines lines_;
  std::set<std::string> ended_;
};

absl::Status Follow(Context& context, Session& session) {
  EventReader events(context, session);
  Follower follower(context);
  while (context.out().good()) {
    P2PD_ASSIGN_OR_RETURN(const v1::Event event, events.Next());
    if (event.has_operation()) follower.Tell(event);
  }
  return absl::OkStatus();
}

absl::Status ListOperations(Context& context, const Arguments& arguments) {
  P2PD_ASSIGN_OR_RETURN(const auto session, context.Connect());
  if (arguments.Has("--follow")) return Follow(context, *session);
  P2PD_ASSIGN_OR_RETURN(const std::vector<v1::Operation> operations, session->ListOperations());
  if (context.json()) {
    v1::ListOperationsResponse response;
    for (const v1::Operation& operation : operations) *response.add_operations() = operation;
    context.PrintJson(response);
    return absl::OkStatus();
  }
  Table table = context.NewTable({{.header = "OPERATION"},
                                  {.header = "KIND"},
                                  {.header = "DEVICE"},
                                  {.header = "STATE"},
                                  {.header = "STARTED"},
                                  {.header = "TOOK", .right = true},
                                  {.header = "SESSIONS"},
                                  {.header = "MAPPINGS", .right = true},
                                  {.header = "ERROR"}});
  for (const v1::Operation& operation : operations) {
    table.AddRow({{operation.name()},
                  {v1::Operation::Kind_Name(operation.kind())},
                  {absl::StrJoin(DevicesOf(operation), ",")},
                  StateCell(operation.state()),
                  {TimeText(operation.started())},
                  {DurationText(operation.took())},
                  {AnswersText(operation)},
                  {absl::StrCat(operation.mapping_count())},
                  {operation.error()}});
  }
  context.Print(table);
  return absl::OkStatus();
}

absl::Status ShowOperation(Context& context, const Arguments& arguments) {
  P2PD_ASSIGN_OR_RETURN(const auto session, context.Connect());
  P2PD_ASSIGN_OR_RETURN(const v1::Operation operation, session->GetOperation(arguments.object));
  PrintReceipt(context, operation);
  return absl::OkStatus();
}

}  // namespace

std::vector<Command> OperationCommands() {
  const Operand number = {.placeholder = "N", .help = "The operation: 5 or operations/5", .parse = OperationName};
  return {{.name = "operations",
           .help = "List resets and revocations",
           .options = {{.name = "--follow",
                        .placeholder = "",
                        .help = "Show those under way and every later one, step by step, until Ctrl-C"}},
           .run = ListOperations},
          {.name = "operation show", .help = "Show one with its receipt", .operand = number, .run = ShowOperation}};
}

}  // namespace p2p::ctl
