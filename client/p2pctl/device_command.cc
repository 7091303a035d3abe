// `p2pctl devices` and `p2pctl device show BDF`.
#include "absl/strings/str_cat.h"
#include "client/p2pctl/commands.h"
#include "client/p2pctl/names.h"
#include "client/p2pctl/text.h"
#include "daemon/base/errors.h"

namespace p2p::ctl {
namespace {

std::string IdText(const v1::Device& device) { return absl::StrCat(device.vendor_id(), ":", device.device_id()); }

std::string NodeText(const v1::Device& device) {
  return device.numa_node() < 0 ? "" : absl::StrCat(device.numa_node());
}

absl::Status ListDevices(Context& context, const Arguments& /*arguments*/) {
  P2PD_ASSIGN_OR_RETURN(const auto session, context.Connect());
  P2PD_ASSIGN_OR_RETURN(const std::vector<v1::Device> devices, session->ListDevices());
  if (context.json()) {
    v1::ListDevicesResponse response;
    for (const v1::Device& device : devices) *response.add_devices() = device;
    context.PrintJson(response);
    return absl::OkStatus();
  }
  Table table = context.NewTable({{.header = "DEVICE"},
                                  {.header = "ID"},
                                  {.header = "CLASS"},
                                  {.header = "STATE"},
                                  {.header = "GENERATION", .right = true},
                                  {.header = "DRIVER"},
                                  {.header = "GROUP", .right = true},
                                  {.header = "NODE", .right = true},
                                  {.header = "RESET"},
                                  {.header = "REASON"}});
  for (const v1::Device& device : devices) {
    table.AddRow({{ShortName(device.name())},
                  {IdText(device)},
                  {device.class_code()},
                  StateCell(device.state()),
                  {absl::StrCat(device.generation())},
                  {device.driver_session()},
                  {absl::StrCat(device.iommu_group())},
                  {NodeText(device)},
                  {YesNo(device.can_reset())},
                  {device.state_reason()}});
  }
  context.Print(table);
  return absl::OkStatus();
}

std::string MsixText(const v1::Device::Bar& bar) {
  std::string text;
  for (const v1::ByteRange& range : bar.msix()) {
    absl::StrAppend(&text, text.empty() ? "" : ",", HexText(range.offset()), "+", HexText(range.length()));
  }
  return text;
}

void PrintProperties(Context& context, const v1::Device& device) {
  Table list = context.NewPropertyList();
  list.AddRow({{"Device:"}, {ShortName(device.name())}});
  list.AddRow({{"Id:"}, {IdText(device)}});
  list.AddRow({{"Class:"}, {device.class_code()}});
  Cell state = StateCell(device.state());
  if (!device.state_reason().empty()) absl::StrAppend(&state.text, " (", device.state_reason(), ")");
  list.AddRow({{"State:"}, state});
  list.AddRow({{"Generation:"}, {absl::StrCat(device.generation())}});
  list.AddRow({{"Driver:"}, {device.driver_session()}});
  list.AddRow({{"Kernel driver:"}, {device.kernel_driver()}});
  list.AddRow({{"Can be reset:"}, {YesNo(device.can_reset())}});
  list.AddRow({{"Context:"}, {device.context()}});
  list.AddRow({{"IOMMU group:"}, {absl::StrCat(device.iommu_group())}});
  list.AddRow({{"NUMA node:"}, {NodeText(device)}});
  context.Print(list);
}

// Who stands in the way of a device that is TAINTED or GONE.
void PrintHolders(Context& context, const v1::Device& device) {
  if (device.holders().empty()) return;
  Table table = context.NewTable({{.header = "HELD-BY-PID", .right = true}, {.header = "COMMAND"}, {.header = "UNIT"}});
  for (const v1::Holder& holder : device.holders()) {
    table.AddRow({{absl::StrCat(holder.pid())}, {holder.comm()}, {holder.unit()}});
  }
  context.out() << "\n";
  context.Print(table);
}

absl::Status ShowDevice(Context& context, const Arguments& arguments) {
  P2PD_ASSIGN_OR_RETURN(const auto session, context.Connect());
  P2PD_ASSIGN_OR_RETURN(const v1::Device device, session->GetDevice(arguments.object));
  if (context.json()) {
    context.PrintJson(device);
    return absl::OkStatus();
  }
  PrintProperties(context, device);
  PrintHolders(context, device);
  if (device.bars().empty()) return absl::OkStatus();
  Table bars = context.NewTable({{.header = "BAR", .right = true},
                                 {.header = "SIZE", .right = true},
                                 {.header = "KIND"},
                                 {.header = "EXPORTABLE"},
                                 {.header = "MSI-X"}});
  for (const v1::Device::Bar& bar : device.bars()) {
    bars.AddRow({{absl::StrCat(bar.index())},
                 {SizeText(bar.size())},
                 {v1::Device::BarKind_Name(bar.kind())},
                 {YesNo(bar.exportable())},
                 {MsixText(bar)}});
  }
  context.out() << "\n";
  context.Print(bars);
  return absl::OkStatus();
}

}  // namespace

std::vector<Command> DeviceCommands() {
  const Operand address = {
      .placeholder = "BDF", .help = "The device's address: 0000:01:00.0 or 01:00.0", .parse = DeviceName};
  return {{.name = "devices", .help = "List the devices that p2pd manages", .run = ListDevices},
          {.name = "device show",
           .help = "Show one device, its BARs, and who still holds it",
           .operand = address,
           .run = ShowDevice}};
}

}  // namespace p2p::ctl
