// The groups of commands, each in a file of its own.
#ifndef P2PD_CLIENT_P2PCTL_COMMANDS_H_
#define P2PD_CLIENT_P2PCTL_COMMANDS_H_

#include <vector>

#include "client/p2pctl/command.h"

namespace p2p::ctl {

std::vector<Command> StatusCommands();     // status
std::vector<Command> DeviceCommands();     // devices, device show
std::vector<Command> SessionCommands();    // sessions
std::vector<Command> GrantCommands();      // exports, address-spaces, mappings
std::vector<Command> OperationCommands();  // operations, operation show
std::vector<Command> ResetCommands();      // reset
std::vector<Command> WatchCommands();      // watch

// All of them, in the order in which --help lists them.
std::vector<Command> AllCommands();

}  // namespace p2p::ctl

#endif  // P2PD_CLIENT_P2PCTL_COMMANDS_H_
