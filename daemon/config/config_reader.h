// Turns one parsed configuration file into settings, and refuses what could not mean what it says.
#ifndef P2PD_DAEMON_CONFIG_CONFIG_READER_H_
#define P2PD_DAEMON_CONFIG_CONFIG_READER_H_

#include <string>

#include "absl/status/status.h"
#include "daemon/config/settings.h"
#include "google/protobuf/text_format.h"
#include "proto/p2pd/v1/config.pb.h"

namespace p2pd {

// What `config` says replaces what `settings` said; its lists are added. `tree` says where in `file_name` each
// field was. Errors: all that is wrong with the file (InvalidArgument, see problem_list.h); `settings` are then
// of no use but to find out what is wrong with the next file.
absl::Status ReadConfig(const v1::Config& config, const google::protobuf::TextFormat::ParseInfoTree& tree,
                        const std::string& file_name, Settings& settings);

}  // namespace p2pd

#endif  // P2PD_DAEMON_CONFIG_CONFIG_READER_H_
