// `p2pctl watch`: everything as it is, then every change, one line each, until Ctrl-C.
#include "absl/strings/str_cat.h"
#include "client/p2pctl/commands.h"
#include "client/p2pctl/event_reader.h"
#include "client/p2pctl/text.h"
#include "daemon/base/errors.h"

namespace p2p::ctl {
namespace {

// The object's name, its state, and what else tells a change of it apart.
std::string ObjectText(const Context& context, const v1::Event& event) {
  switch (event.object_case()) {
    case v1::Event::kDevice:
      return absl::StrCat(event.device().name(), " ", context.Colored(StateCell(event.device().state())),
                          " generation ", event.device().generation());
    case v1::Event::kSession:
      return absl::StrCat(event.session().name(), " pid ", event.session().pid(), " ", event.session().comm());
    case v1::Event::kExport:
      return absl::StrCat(event.export_().name(), " ", event.export_().window().device(), " BAR ",
                          event.export_().window().bar(), " ", HexText(event.export_().window().offset()), "+",
                          HexText(event.export_().window().length()));
    case v1::Event::kAddressSpace:
      return absl::StrCat(event.address_space().name(), " ", event.address_space().session());
    case v1::Event::kMapping:
      return absl::StrCat(event.mapping().name(), " ", context.Colored(StateCell(event.mapping().state())), " IOVA ",
                          HexText(event.mapping().iova()), " ", event.mapping().state_reason());
    case v1::Event::kOperation:
      return absl::StrCat(event.operation().name(), " ", v1::Operation::Kind_Name(event.operation().kind()), " ",
                          event.operation().device(), " ", context.Colored(StateCell(event.operation().state())));
    case v1::Event::OBJECT_NOT_SET:
      return "";
  }
  return "";
}

void PrintEvent(Context& context, const v1::Event& event) {
  if (context.json()) {
    context.PrintJsonLine(event);
    return;
  }
  std::string line =
      absl::StrCat(ClockText(event.time()), " ", v1::Event::Type_Name(event.type()), " ", ObjectText(context, event));
  while (line.back() == ' ') line.pop_back();
  context.out() << line << std::endl;
}

absl::Status Watch(Context& context, const Arguments& arguments) {
  const uint64_t count = arguments.Number("--count");
  P2PD_ASSIGN_OR_RETURN(const auto session, context.Connect());
  EventReader events(context, *session);
  for (uint64_t seen = 1; context.out().good(); ++seen) {
    P2PD_ASSIGN_OR_RETURN(const v1::Event event, events.Next());
    PrintEvent(context, event);
    if (seen == count) break;
    if (arguments.Has("--until-in-sync") && event.type() == v1::Event::IN_SYNC) break;
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<Command> WatchCommands() {
  return {{.name = "watch",
           .help = "Show everything as it is, then every change, until Ctrl-C",
           .options = {{.name = "--count", .placeholder = "N", .help = "Stop after N events"},
                       {.name = "--until-in-sync", .placeholder = "", .help = "Stop once the snapshot is complete"}},
           .run = Watch}};
}

}  // namespace p2p::ctl
