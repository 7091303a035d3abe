// Values as p2pctl shows them to people. Pure, but for TimeText and ClockText (the local zone) and UserText (the user
// database).
#ifndef P2PD_CLIENT_P2PCTL_TEXT_H_
#define P2PD_CLIENT_P2PCTL_TEXT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/p2pctl/table.h"
#include "client/types.h"

namespace p2p::ctl {

std::string HexText(uint64_t value);                                   // "0x1000"
std::string SizeText(uint64_t bytes);                                  // "64 MiB", "1.5 KiB", "12 B"
std::string DurationText(const google::protobuf::Duration& duration);  // "250 us", "1.50 ms", "2.31 s"
std::string TimeText(const google::protobuf::Timestamp& time);         // "2026-01-01 12:00:00"; "" for none
std::string ClockText(const google::protobuf::Timestamp& time);        // "12:00:00.250"
std::string UserText(uint32_t uid);                                    // "root", "1000" where it has no name
std::string YesNo(bool value);

// "devices/0000:01:00.0" -> "0000:01:00.0": names without their kind, in a column that says the kind.
std::string ShortName(absl::string_view name);

// What an operation is about: "RESET of 0000:01:00.0 and 2 more".
std::string SubjectText(const v1::Operation& operation);
// The names of all devices of an operation, short, the one that was asked for first.
std::vector<std::string> DevicesOf(const v1::Operation& operation);

// States with the colour that says how well it is: settled, in progress, in trouble.
Cell StateCell(v1::Device::State state);
Cell StateCell(v1::Export::State state);
Cell StateCell(v1::Mapping::State state);
Cell StateCell(v1::Operation::State state);
Cell AnswerCell(v1::Operation::Party::Answer answer);

}  // namespace p2p::ctl

#endif  // P2PD_CLIENT_P2PCTL_TEXT_H_
