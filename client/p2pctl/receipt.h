// An operation's receipt, for people: what was done step by step, who was asked to stop, and what became of
// each mapping.
#ifndef P2PD_CLIENT_P2PCTL_RECEIPT_H_
#define P2PD_CLIENT_P2PCTL_RECEIPT_H_

#include "client/p2pctl/context.h"
#include "client/types.h"

namespace p2p::ctl {

void PrintReceipt(Context& context, const v1::Operation& operation);

}  // namespace p2p::ctl

#endif  // P2PD_CLIENT_P2PCTL_RECEIPT_H_
