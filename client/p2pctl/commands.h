// The groups of commands, each in a file of its own.
#ifndef P2PD_CLIENT_P2PCTL_COMMANDS_H_
#define P2PD_CLIENT_P2PCTL_COMMANDS_H_

#include <vector>

#include "client/p2pctl/command.h"

namespace p2p::ctl {

std::vector<Command> StatusCommands();      // status, ping, log-level
std::vector<Command> DeviceCommands();      // devices, device show
std::vector<Command> TopologyCommands();    // topology
std::vector<Command> SessionCommands();     // sessions, session show
std::vector<Command> ExportCommands();      // exports, export show
std::vector<Command> OfferCommands();       // offers
std::vector<Command> MappingCommands();     // address-spaces, mappings
std::vector<Command> OperationCommands();   // operations, operation show
std::vector<Command> WatchCommands();       // watch
std::vector<Command> AcquireCommands();     // acquire, renew, release
std::vector<Command> RunCommands();         // run
std::vector<Command> RevocationCommands();  // reset, device recover, revoke
std::vector<Command> PolicyCommands();      // policy check, policy test
std::vector<Command> LivePolicyCommands();  // policy reload, policy explain

// All of them, in the order in which --help lists them.
std::vector<Command> AllCommands();

}  // namespace p2p::ctl

#endif  // P2PD_CLIENT_P2PCTL_COMMANDS_H_
