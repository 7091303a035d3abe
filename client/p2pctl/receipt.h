// An operation's receipt: what was done step by step, who was asked to stop, and what became of each mapping.
#ifndef P2PD_CLIENT_P2PCTL_RECEIPT_H_
#define P2PD_CLIENT_P2PCTL_RECEIPT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "client/p2pctl/context.h"
#include "client/types.h"

namespace p2p::ctl {

// One line on how it stands: "operations/5: RESET of 0000:01:00.0 SUCCEEDED after 118.00 ms, generation 2".
std::string StandingText(const Context& context, const v1::Operation& operation);

// For people, or the operation as JSON.
void PrintReceipt(Context& context, const v1::Operation& operation);

// Prints the receipt of what was just done. Errors: Aborted, the receipt says that it failed; `what` was done
// ("the reset of devices/0000:01:00.0").
absl::Status ReportDone(Context& context, const v1::Operation& operation, absl::string_view what);

}  // namespace p2p::ctl

#endif  // P2PD_CLIENT_P2PCTL_RECEIPT_H_
