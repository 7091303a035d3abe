// `p2pctl status`: what this p2pd can do, and how much is going on.
#include "absl/strings/str_cat.h"
#include "client/p2pctl/commands.h"
#include "client/p2pctl/text.h"
#include "daemon/base/errors.h"

namespace p2p::ctl {
namespace {

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
  list.AddRow({{"Policy rules:"}, {absl::StrCat(status.policy_rules())}});
  list.AddRow({{"Devices:"}, {absl::StrCat(status.devices())}});
  list.AddRow({{"Sessions:"}, {absl::StrCat(status.sessions())}});
  list.AddRow({{"Exports:"}, {absl::StrCat(status.exports())}});
  list.AddRow({{"Address spaces:"}, {absl::StrCat(status.address_spaces())}});
  list.AddRow({{"Mappings:"}, {absl::StrCat(status.mappings(), " (", SizeText(status.mapped_bytes()), ")")}});
  context.Print(list);
  return absl::OkStatus();
}

}  // namespace

std::vector<Command> StatusCommands() {
  return {{.name = "status", .help = "Show what p2pd can do and how much is going on", .run = ShowStatus}};
}

}  // namespace p2p::ctl
