// `p2pctl sessions` and `p2pctl session show N`: who is connected, and what they hold.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/p2pctl/commands.h"
#include "client/p2pctl/names.h"
#include "client/p2pctl/text.h"
#include "daemon/base/errors.h"

namespace p2p::ctl {
namespace {

absl::Status ListSessions(Context& context, const Arguments& /*arguments*/) {
  P2PD_ASSIGN_OR_RETURN(const auto connection, context.Connect());
  P2PD_ASSIGN_OR_RETURN(const std::vector<v1::Session> sessions, connection->ListSessions());
  if (context.json()) {
    v1::ListSessionsResponse response;
    for (const v1::Session& session : sessions) *response.add_sessions() = session;
    context.PrintJson(response);
    return absl::OkStatus();
  }
  Table table = context.NewTable({{.header = "SESSION"},
                                  {.header = "USER"},
                                  {.header = "PID", .right = true},
                                  {.header = "COMMAND"},
                                  {.header = "UNIT"},
                                  {.header = "CLIENT"},
                                  {.header = "SINCE"}});
  for (const v1::Session& session : sessions) {
    table.AddRow({{session.name()},
                  {UserText(session.uid())},
                  {absl::StrCat(session.pid())},
                  {session.comm()},
                  {session.unit()},
                  {session.client()},
                  {TimeText(session.connected())}});
  }
  context.Print(table);
  return absl::OkStatus();
}

void PrintHeld(const std::string& kind, const std::vector<std::string>& names, Table& list) {
  list.AddRow({{absl::StrCat(kind, ":")}, {absl::StrJoin(names, " ")}});
}

// The names of those of `objects` that are the session's.
template <typename Objects>
std::vector<std::string> Held(const Objects& objects, const std::string& session) {
  std::vector<std::string> names;
  for (const auto& object : objects) {
    if (object.session() == session) names.push_back(object.name());
  }
  return names;
}

absl::Status ShowSession(Context& context, const Arguments& arguments) {
  P2PD_ASSIGN_OR_RETURN(const auto connection, context.Connect());
  P2PD_ASSIGN_OR_RETURN(const v1::Session session, connection->GetSession(arguments.object));
  if (context.json()) {
    context.PrintJson(session);
    return absl::OkStatus();
  }
  P2PD_ASSIGN_OR_RETURN(const auto devices, connection->ListDevices());
  P2PD_ASSIGN_OR_RETURN(const auto exports, connection->ListExports());
  P2PD_ASSIGN_OR_RETURN(const auto spaces, connection->ListAddressSpaces());
  P2PD_ASSIGN_OR_RETURN(const auto mappings, connection->ListMappings());
  std::vector<std::string> driven;
  for (const v1::Device& device : devices) {
    if (device.driver_session() == session.name()) driven.push_back(ShortName(device.name()));
  }
  Table list = context.NewPropertyList();
  list.AddRow({{"Session:"}, {session.name()}});
  list.AddRow({{"Client:"}, {session.client()}});
  list.AddRow(
      {{"User:"}, {absl::StrCat(UserText(session.uid()), " (uid ", session.uid(), ", gid ", session.gid(), ")")}});
  list.AddRow({{"Process:"}, {absl::StrCat(session.pid(), " (", session.comm(), ")")}});
  list.AddRow({{"Unit:"}, {session.unit()}});
  list.AddRow({{"Since:"}, {TimeText(session.connected())}});
  PrintHeld("Drives", driven, list);
  PrintHeld("Exports", Held(exports, session.name()), list);
  PrintHeld("Address spaces", Held(spaces, session.name()), list);
  PrintHeld("Mappings", Held(mappings, session.name()), list);
  context.Print(list);
  return absl::OkStatus();
}

}  // namespace

std::vector<Command> SessionCommands() {
  const Operand number = {.placeholder = "N", .help = "The session: 7 or sessions/7", .parse = SessionName};
  return {{.name = "sessions", .help = "List the connected clients, this one included", .run = ListSessions},
          {.name = "session show", .help = "Show one and what it holds", .operand = number, .run = ShowSession}};
}

}  // namespace p2p::ctl
