// `p2pctl topology [EXPORTER IMPORTER]`: where the devices are in the machine, and by which way DMA goes between them.
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/p2pctl/commands.h"
#include "client/p2pctl/exit_status.h"
#include "client/p2pctl/names.h"
#include "client/p2pctl/text.h"
#include "client/p2pctl/topology_text.h"
#include "daemon/base/errors.h"

namespace p2p::ctl {
namespace {

using Node = v1::Topology::Node;

std::string NumberText(int64_t number) { return number < 0 ? "" : absl::StrCat(number); }

void PrintTree(Context& context, const v1::Topology& topology) {
  Table tree = context.NewTable({{.header = "NAME", .tree = true},
                                 {.header = "KIND"},
                                 {.header = "ID"},
                                 {.header = "NODE", .right = true},
                                 {.header = "GROUP", .right = true},
                                 {.header = "ACS"},
                                 {.header = "ATS"},
                                 {.header = "PAYLOAD", .right = true},
                                 {.header = "NOTE"}});
  std::map<std::string, size_t> rows;
  for (const Node& node : topology.nodes()) {
    const auto parent = rows.find(node.parent());
    const std::string id = node.vendor_id().empty() ? "" : absl::StrCat(node.vendor_id(), ":", node.device_id());
    rows[node.name()] = tree.AddRow({{ShortName(node.name())},
                                     {NodeKindText(node)},
                                     {id},
                                     {NumberText(node.numa_node())},
                                     {NumberText(node.iommu_group())},
                                     AcsCell(node),
                                     {AtsText(node)},
                                     {node.max_payload() == 0 ? "" : absl::StrCat(node.max_payload())},
                                     NodeNoteCell(node)},
                                    parent == rows.end() ? std::nullopt : std::optional<size_t>(parent->second));
  }
  context.Print(tree);
}

// One row an exporter, one column an importer.
void PrintMatrix(Context& context, const v1::Topology& topology) {
  std::vector<std::string> devices;
  std::map<std::pair<std::string, std::string>, Cell> cells;
  for (const auto& path : topology.paths()) {
    if (path.kind() == v1::Topology::Path::SELF) devices.push_back(path.exporter());
    cells[{path.exporter(), path.importer()}] = PathCell(path);
  }
  std::vector<Column> columns = {{.header = "#", .right = true}, {.header = "EXPORTER"}};
  for (size_t i = 0; i < devices.size(); ++i) columns.push_back({.header = absl::StrCat(i)});
  Table matrix = context.NewTable(std::move(columns));
  for (size_t i = 0; i < devices.size(); ++i) {
    std::vector<Cell> row = {{absl::StrCat(i)}, {ShortName(devices[i])}};
    for (const std::string& importer : devices) row.push_back(cells[{devices[i], importer}]);
    matrix.AddRow(std::move(row));
  }
  context.Print(matrix);
  if (!context.legend()) return;
  context.out() << "\nHow DMA of the device of a column gets to memory of the device of a row:\n" << PathLegend();
}

absl::Status Misused(Context& context, absl::string_view what, absl::string_view hint) {
  context.ExitWith(static_cast<int>(ExitStatus::kUsage));
  return p2pd::MakeError(absl::StatusCode::kInvalidArgument,
                         {.reason = p2pd::Reason::kInvalidArgument, .hint = std::string(hint)}, what);
}

absl::Status ShowPair(Context& context, const v1::Topology& topology) {
  if (topology.paths().empty()) return absl::InternalError("p2pd sent no path for this pair");
  context.out() << PathSentences(topology.paths(0));
  return absl::OkStatus();
}

absl::Status ShowTopology(Context& context, const Arguments& arguments) {
  const bool pair = !arguments.objects.empty();
  const int views = arguments.Has("--tree") + arguments.Has("--matrix") + arguments.Has("--dot") + pair;
  if (views > 1) {
    return Misused(context, "more than one view is asked for", "one of --tree, --matrix, --dot, EXPORTER IMPORTER");
  }
  P2PD_ASSIGN_OR_RETURN(const auto session, context.Connect());
  P2PD_ASSIGN_OR_RETURN(
      const v1::Topology topology,
      pair ? session->GetTopology(arguments.objects[0], arguments.objects[1]) : session->GetTopology());
  if (context.json()) {
    context.PrintJson(topology);
    return absl::OkStatus();
  }
  if (pair) return ShowPair(context, topology);
  if (arguments.Has("--dot")) {
    context.out() << TopologyAsDot(topology);
    return absl::OkStatus();
  }
  if (!arguments.Has("--matrix")) PrintTree(context, topology);
  if (views == 0) context.out() << "\n";
  if (!arguments.Has("--tree")) PrintMatrix(context, topology);
  return absl::OkStatus();
}

}  // namespace

std::vector<Command> TopologyCommands() {
  return {
      {.name = "topology",
       .help = "Show where the devices are in the machine, and how DMA gets from one to another",
       .options = {{.name = "--tree", .placeholder = "", .help = "The devices and what leads to them, only"},
                   {.name = "--matrix", .placeholder = "", .help = "The ways between them, only"},
                   {.name = "--dot", .placeholder = "", .help = "The tree for Graphviz"}},
       .run = ShowTopology,
       .optional_operands = {
           {.placeholder = "EXPORTER", .help = "Explain one pair: the device whose memory it is", .parse = DeviceName},
           {.placeholder = "IMPORTER", .help = "and the device that reads or writes it", .parse = DeviceName}}}};
}

}  // namespace p2p::ctl
