#include "client/p2pctl/receipt.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/p2pctl/text.h"

namespace p2p::ctl {
namespace {

void PrintSteps(Context& context, const v1::Operation& operation) {
  if (operation.steps().empty()) return;
  Table table = context.NewTable(
      {{.header = "STEP"}, {.header = "AT", .right = true}, {.header = "TOOK", .right = true}, {.header = "RESULT"}});
  for (const v1::Operation::Step& step : operation.steps()) {
    const Cell result = step.error().empty() ? Cell{.text = "ok", .color = Color::kGood}
                                             : Cell{.text = step.error(), .color = Color::kBad};
    table.AddRow({{step.what()}, {DurationText(step.started())}, {DurationText(step.took())}, result});
  }
  context.out() << "\n";
  context.Print(table);
}

void PrintParties(Context& context, const v1::Operation& operation) {
  if (operation.parties().empty()) return;
  Table table = context.NewTable({{.header = "SESSION"}, {.header = "ANSWER"}, {.header = "AFTER", .right = true}});
  for (const v1::Operation::Party& party : operation.parties()) {
    table.AddRow({{party.session()}, AnswerCell(party.answer()), {DurationText(party.after())}});
  }
  context.out() << "\n";
  context.Print(table);
}

void PrintMappings(Context& context, const v1::Operation& operation) {
  if (operation.mappings().empty()) return;
  Table table = context.NewTable(
      {{.header = "MAPPING"}, {.header = "IOVA", .right = true}, {.header = "STATE"}, {.header = "REASON"}});
  for (const v1::Operation::Outcome& outcome : operation.mappings()) {
    table.AddRow({{outcome.mapping()}, {HexText(outcome.iova())}, StateCell(outcome.state()), {outcome.reason()}});
  }
  context.out() << "\n";
  context.Print(table);
  const uint32_t shown = static_cast<uint32_t>(operation.mappings_size());
  if (operation.mapping_count() > shown) context.out() << "and " << operation.mapping_count() - shown << " more\n";
}

}  // namespace

std::string StandingText(const Context& context, const v1::Operation& operation) {
  std::string text =
      absl::StrCat(operation.name(), ": ", SubjectText(operation), " ", context.Colored(StateCell(operation.state())));
  if (operation.state() != v1::Operation::RUNNING) absl::StrAppend(&text, " after ", DurationText(operation.took()));
  if (operation.generation() != 0) absl::StrAppend(&text, ", generation ", operation.generation());
  return text;
}

void PrintReceipt(Context& context, const v1::Operation& operation) {
  if (context.json()) {
    context.PrintJson(operation);
    return;
  }
  context.out() << StandingText(context, operation) << "\n";
  if (!operation.error().empty()) context.out() << "Error: " << operation.error() << "\n";
  const std::vector<std::string> devices = DevicesOf(operation);
  if (devices.size() > 1) context.out() << "Devices: " << absl::StrJoin(devices, " ") << "\n";
  PrintSteps(context, operation);
  PrintParties(context, operation);
  PrintMappings(context, operation);
}

absl::Status ReportDone(Context& context, const v1::Operation& operation, absl::string_view what) {
  PrintReceipt(context, operation);
  if (operation.state() != v1::Operation::FAILED) return absl::OkStatus();
  return absl::AbortedError(absl::StrCat(what, " failed: ", operation.error()));
}

}  // namespace p2p::ctl
