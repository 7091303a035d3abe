#include "client/p2pctl/commands.h"

namespace p2p::ctl {

std::vector<Command> AllCommands() {
  std::vector<Command> all;
  for (const auto group : {StatusCommands, DeviceCommands, TopologyCommands, SessionCommands, ExportCommands,
                           OfferCommands, MappingCommands, OperationCommands, WatchCommands, AcquireCommands,
                           RunCommands, RevocationCommands, PolicyCommands, LivePolicyCommands}) {
    for (Command& command : group()) all.push_back(std::move(command));
  }
  return all;
}

}  // namespace p2p::ctl
