// The machine's hierarchy and the ways through it as messages of the API. Pure.
#ifndef P2PD_DAEMON_FRONT_TOPOLOGY_TO_PROTO_H_
#define P2PD_DAEMON_FRONT_TOPOLOGY_TO_PROTO_H_

#include "daemon/core/topology_view.h"
#include "proto/p2pd/v1/broker.pb.h"

namespace p2pd {

v1::Topology ToProto(const TopologyView& view);

}  // namespace p2pd

#endif  // P2PD_DAEMON_FRONT_TOPOLOGY_TO_PROTO_H_
