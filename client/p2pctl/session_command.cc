// `p2pctl sessions`: who is connected.
#include "absl/strings/str_cat.h"
#include "client/p2pctl/commands.h"
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

}  // namespace

std::vector<Command> SessionCommands() {
  return {{.name = "sessions", .help = "List the connected clients, this one included", .run = ListSessions}};
}

}  // namespace p2p::ctl
