// `p2pctl exports` and `p2pctl export show N`: who holds which windows of devices.
#include "absl/strings/str_cat.h"
#include "client/p2pctl/commands.h"
#include "client/p2pctl/names.h"
#include "client/p2pctl/text.h"
#include "daemon/base/errors.h"

namespace p2p::ctl {
namespace {

absl::Status ListExports(Context& context, const Arguments& /*arguments*/) {
  P2PD_ASSIGN_OR_RETURN(const auto session, context.Connect());
  P2PD_ASSIGN_OR_RETURN(const std::vector<v1::Export> exports, session->ListExports());
  if (context.json()) {
    v1::ListExportsResponse response;
    for (const v1::Export& entry : exports) *response.add_exports() = entry;
    context.PrintJson(response);
    return absl::OkStatus();
  }
  Table table = context.NewTable({{.header = "EXPORT"},
                                  {.header = "SESSION"},
                                  {.header = "DEVICE"},
                                  {.header = "BAR", .right = true},
                                  {.header = "OFFSET", .right = true},
                                  {.header = "LENGTH", .right = true},
                                  {.header = "KIND"},
                                  {.header = "GRADE"},
                                  {.header = "STATE"},
                                  {.header = "MAPPINGS", .right = true},
                                  {.header = "EXPIRES"},
                                  {.header = "RULE"}});
  for (const v1::Export& entry : exports) {
    table.AddRow({{entry.name()},
                  {entry.session()},
                  {ShortName(entry.window().device())},
                  {absl::StrCat(entry.window().bar())},
                  {HexText(entry.window().offset())},
                  {SizeText(entry.window().length())},
                  {v1::Device::BarKind_Name(entry.kind())},
                  {v1::Grade_Name(entry.grade())},
                  StateCell(entry.state()),
                  {absl::StrCat(entry.mappings())},
                  {TimeText(entry.expire_time())},
                  {entry.rule()}});
  }
  context.Print(table);
  return absl::OkStatus();
}

void PrintProperties(Context& context, const v1::Export& entry) {
  Table list = context.NewPropertyList();
  list.AddRow({{"Export:"}, {entry.name()}});
  list.AddRow({{"State:"}, StateCell(entry.state())});
  list.AddRow({{"Session:"}, {entry.session()}});
  list.AddRow({{"Device:"}, {ShortName(entry.window().device())}});
  list.AddRow({{"BAR:"}, {absl::StrCat(entry.window().bar())}});
  list.AddRow({{"Offset:"}, {HexText(entry.window().offset())}});
  list.AddRow({{"Length:"}, {SizeText(entry.window().length())}});
  list.AddRow({{"Kind:"}, {v1::Device::BarKind_Name(entry.kind())}});
  list.AddRow({{"Grade:"}, {v1::Grade_Name(entry.grade())}});
  list.AddRow({{"Generation:"}, {absl::StrCat(entry.generation())}});
  list.AddRow({{"Expires:"}, {TimeText(entry.expire_time())}});
  list.AddRow({{"Rule:"}, {entry.rule()}});
  context.Print(list);
}

absl::Status ShowExport(Context& context, const Arguments& arguments) {
  P2PD_ASSIGN_OR_RETURN(const auto session, context.Connect());
  P2PD_ASSIGN_OR_RETURN(const v1::Export entry, session->GetExport(arguments.object));
  if (context.json()) {
    context.PrintJson(entry);
    return absl::OkStatus();
  }
  P2PD_ASSIGN_OR_RETURN(const std::vector<v1::Mapping> mappings, session->ListMappings());
  PrintProperties(context, entry);
  Table table = context.NewTable({{.header = "MAPPING"},
                                  {.header = "ADDRESS-SPACE"},
                                  {.header = "IOVA", .right = true},
                                  {.header = "OFFSET", .right = true},
                                  {.header = "LENGTH", .right = true},
                                  {.header = "ACCESS"},
                                  {.header = "STATE"}});
  for (const v1::Mapping& mapping : mappings) {
    if (mapping.export_() != entry.name()) continue;
    table.AddRow({{mapping.name()},
                  {mapping.address_space()},
                  {HexText(mapping.iova())},
                  {HexText(mapping.offset())},
                  {SizeText(mapping.length())},
                  {v1::Access_Name(mapping.access())},
                  StateCell(mapping.state())});
  }
  context.out() << "\n";
  context.Print(table);
  return absl::OkStatus();
}

}  // namespace

std::vector<Command> ExportCommands() {
  const Operand number = {.placeholder = "N", .help = "The export: 12 or exports/12", .parse = ExportName};
  return {{.name = "exports", .help = "List the windows of devices that sessions hold", .run = ListExports},
          {.name = "export show", .help = "Show one and its mappings", .operand = number, .run = ShowExport}};
}

}  // namespace p2p::ctl
