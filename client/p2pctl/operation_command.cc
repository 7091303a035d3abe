// `p2pctl operations` and `p2pctl operation show N`: resets and revocations, and their receipts.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/p2pctl/commands.h"
#include "client/p2pctl/names.h"
#include "client/p2pctl/receipt.h"
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

absl::Status ListOperations(Context& context, const Arguments& /*arguments*/) {
  P2PD_ASSIGN_OR_RETURN(const auto session, context.Connect());
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
                  {ShortName(operation.device())},
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
  return {{.name = "operations", .help = "List resets and revocations", .run = ListOperations},
          {.name = "operation show", .help = "Show one with its receipt", .operand = number, .run = ShowOperation}};
}

}  // namespace p2p::ctl
