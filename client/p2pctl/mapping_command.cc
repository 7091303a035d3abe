// `p2pctl address-spaces` and `p2pctl mappings`: what devices reach, and where.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/p2pctl/commands.h"
#include "client/p2pctl/text.h"
#include "daemon/base/errors.h"

namespace p2p::ctl {
namespace {

absl::Status ListAddressSpaces(Context& context, const Arguments& /*arguments*/) {
  P2PD_ASSIGN_OR_RETURN(const auto session, context.Connect());
  P2PD_ASSIGN_OR_RETURN(const std::vector<v1::AddressSpace> spaces, session->ListAddressSpaces());
  if (context.json()) {
    v1::ListAddressSpacesResponse response;
    for (const v1::AddressSpace& space : spaces) *response.add_address_spaces() = space;
    context.PrintJson(response);
    return absl::OkStatus();
  }
  Table table = context.NewTable({{.header = "ADDRESS-SPACE"},
                                  {.header = "SESSION"},
                                  {.header = "CONTEXT"},
                                  {.header = "ALIGNMENT", .right = true},
                                  {.header = "DEVICES"},
                                  {.header = "USABLE"}});
  for (const v1::AddressSpace& space : spaces) {
    const auto short_name = [](std::string* out, const std::string& name) { out->append(ShortName(name)); };
    const auto range_text = [](std::string* out, const v1::ByteRange& range) {
      // The last byte: the first beyond a range can be 2^64.
      absl::StrAppend(out, HexText(range.offset()), "-", HexText(range.offset() + range.length() - 1));
    };
    table.AddRow({{space.name()},
                  {space.session()},
                  {space.context()},
                  {SizeText(space.alignment())},
                  {absl::StrJoin(space.devices(), ",", short_name)},
                  {absl::StrJoin(space.usable_iova(), ",", range_text)}});
  }
  context.Print(table);
  return absl::OkStatus();
}

absl::Status ListMappings(Context& context, const Arguments& /*arguments*/) {
  P2PD_ASSIGN_OR_RETURN(const auto session, context.Connect());
  P2PD_ASSIGN_OR_RETURN(const std::vector<v1::Mapping> mappings, session->ListMappings());
  if (context.json()) {
    v1::ListMappingsResponse response;
    for (const v1::Mapping& mapping : mappings) *response.add_mappings() = mapping;
    context.PrintJson(response);
    return absl::OkStatus();
  }
  Table table = context.NewTable({{.header = "MAPPING"},
                                  {.header = "SESSION"},
                                  {.header = "ADDRESS-SPACE"},
                                  {.header = "IOVA", .right = true},
                                  {.header = "LENGTH", .right = true},
                                  {.header = "SOURCE"},
                                  {.header = "OFFSET", .right = true},
                                  {.header = "ACCESS"},
                                  {.header = "STATE"},
                                  {.header = "REASON"}});
  for (const v1::Mapping& mapping : mappings) {
    table.AddRow({{mapping.name()},
                  {mapping.session()},
                  {mapping.address_space()},
                  {HexText(mapping.iova())},
                  {SizeText(mapping.length())},
                  {mapping.export_().empty() ? "memory" : mapping.export_()},
                  {HexText(mapping.offset())},
                  {v1::Access_Name(mapping.access())},
                  StateCell(mapping.state()),
                  {mapping.state_reason()}});
  }
  context.Print(table);
  return absl::OkStatus();
}

}  // namespace

std::vector<Command> MappingCommands() {
  return {{.name = "address-spaces", .help = "List the address spaces and their devices", .run = ListAddressSpaces},
          {.name = "mappings", .help = "List what devices can reach, and at which IOVA", .run = ListMappings}};
}

}  // namespace p2p::ctl
