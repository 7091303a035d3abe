// The plain values of the API are its proto messages; here they are p2p::v1::Device and so on.
#ifndef P2PD_CLIENT_TYPES_H_
#define P2PD_CLIENT_TYPES_H_

#include "proto/p2pd/v1/broker.pb.h"
#include "proto/p2pd/v1/fd_channel.pb.h"

namespace p2p {

namespace v1 = ::p2pd::v1;

}  // namespace p2p

#endif  // P2PD_CLIENT_TYPES_H_
